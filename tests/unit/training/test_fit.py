"""Fitting learns, selects, stops, resumes and takes further terms."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.evaluation import evaluate
from recdistill.students import STUDENT_KINDS, StudentConfig, StudentRecommender, build_student
from recdistill.training import (
    FitConfig,
    LossAlone,
    LossConfig,
    Objective,
    OptimizerConfig,
    Softmax,
    Step,
    build_loss,
    fit,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.students import SequentialModel
    from recdistill.training import FitResult

STUDENT = StudentConfig(dim=16, n_blocks=1, max_length=12, dropout=0.1)
FIT = FitConfig(max_epochs=5, tokens_per_batch=240, patience=0, optimizer=OptimizerConfig(lr=0.01))


class Killed(BaseException):
    """Stands for the machine going away."""


def _fit(
    data: PreparedData,
    folder: Path,
    config: FitConfig = FIT,
    *,
    kind: str = "sasrec",
    loss: LossConfig | Objective = LossConfig(),  # noqa: B008 -- frozen
    kill_after: int | None = None,
    **options: object,
) -> tuple[SequentialModel, FitResult, list[dict[str, float]]]:
    model = build_student(replace(STUDENT, kind=kind), data.catalog.n_items, seed=0)  # type: ignore[arg-type]
    counts = np.bincount(data.train.items, minlength=data.catalog.n_items + 1)
    logged: list[dict[str, float]] = []

    def log(metrics: Mapping[str, float], epoch: int) -> None:
        logged.append({"epoch": epoch, **metrics})
        if epoch == kill_after:
            raise Killed

    result = fit(
        model,
        build_loss(loss, counts) if isinstance(loss, LossConfig) else loss,
        data,
        config,
        log=log,
        checkpoint_folder=folder,
        **({"seed": 0} | options),  # type: ignore[arg-type]
    )
    return model, result, logged


def _ndcg(model: SequentialModel, data: PreparedData) -> float:
    recommender = StudentRecommender(model, STUDENT, data.catalog.digest, "walks")
    return float(
        evaluate(recommender, data.val, data.catalog, data.train).outcome("ndcg", 10).mean()
    )


def _timeless(entries: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in entry.items() if "second" not in k} for entry in entries]


@pytest.mark.parametrize("kind", STUDENT_KINDS)
def test_a_student_learns_the_order(walks: PreparedData, tmp_path: Path, kind: str):
    untrained = build_student(
        replace(STUDENT, kind=kind),  # type: ignore[arg-type]
        walks.catalog.n_items,
        seed=0,
    )
    _, result, logged = _fit(walks, tmp_path / "fit", kind=kind)
    assert _ndcg(untrained, walks) < 0.25
    assert result.best["val/ndcg_at_10"] > 0.45
    assert logged[-1]["train/loss"] < logged[0]["train/loss"]
    assert [entry["epoch"] for entry in logged] == [1, 2, 3, 4, 5]
    assert result.n_epochs == 5


def test_the_model_left_behind_is_the_best_average(walks: PreparedData, tmp_path: Path):
    model, result, _ = _fit(walks, tmp_path / "fit")
    assert _ndcg(model, walks) == pytest.approx(result.best["val/ndcg_at_10"], abs=1e-6)
    assert result.best["val/ndcg_at_10"] == max(e["val/ndcg_at_10"] for e in result.history)


@pytest.mark.parametrize(
    ("kind", "killed_in"), [("softmax", 2), ("softmax", 5), ("mixed_softmax", 3), ("gbce", 3)]
)
def test_a_killed_run_resumes_to_the_same_end(
    walks: PreparedData, tmp_path: Path, kind: str, killed_in: int
):
    loss = LossConfig(kind=kind, n_negatives=6)  # type: ignore[arg-type]
    whole, result, logged = _fit(walks, tmp_path / "whole", loss=loss)
    with pytest.raises(Killed):
        _fit(walks, tmp_path / "cut", loss=loss, kill_after=killed_in)
    resumed, again, rest = _fit(walks, tmp_path / "cut", loss=loss)
    assert _timeless(again.history) == _timeless(result.history)
    assert len(rest) == FIT.max_epochs - killed_in + 1
    assert _timeless(rest) == _timeless(logged)[killed_in - 1 :]
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_a_finished_run_resumes_to_itself(walks: PreparedData, tmp_path: Path):
    model, result, _ = _fit(walks, tmp_path / "fit")
    again, same, logged = _fit(walks, tmp_path / "fit")
    assert logged == []
    assert same == result
    assert torch.equal(model.item_table(), again.item_table())


def test_other_settings_do_not_take_up_a_checkpoint(walks: PreparedData, tmp_path: Path):
    _fit(walks, tmp_path / "fit", replace(FIT, max_epochs=1))
    with pytest.raises(UserError, match=r"ema_decay=0\.99, asked for is ema_decay=0\.5"):
        _fit(walks, tmp_path / "fit", replace(FIT, max_epochs=1, ema_decay=0.5))
    with pytest.raises(UserError, match="seed=0, asked for is seed=1"):
        _fit(walks, tmp_path / "fit", replace(FIT, max_epochs=1), seed=1)


def test_fitting_stops_when_validation_stalls(walks: PreparedData, tmp_path: Path):
    still = replace(FIT, patience=2, optimizer=OptimizerConfig(lr=1e-12, weight_decay=0))
    _, result, logged = _fit(walks, tmp_path / "fit", still)
    assert len(logged) == 3
    assert result.best["epoch"] == 1


def test_validation_can_be_rarer_than_epochs(walks: PreparedData, tmp_path: Path):
    _, result, logged = _fit(walks, tmp_path / "fit", replace(FIT, max_epochs=5, validate_every=2))
    assert [entry["epoch"] for entry in result.history] == [2, 4, 5]
    assert len(logged) == 5


def test_equal_seeds_give_equal_runs_and_the_generator_is_left_alone(
    walks: PreparedData, tmp_path: Path
):
    short = replace(FIT, max_epochs=2)
    state = torch.get_rng_state()
    a, _, _ = _fit(walks, tmp_path / "a", short)
    assert torch.equal(state, torch.get_rng_state())
    torch.rand(3)
    b, _, _ = _fit(walks, tmp_path / "b", short)
    c, _, _ = _fit(walks, tmp_path / "c", short, seed=1)
    assert torch.equal(a.item_table(), b.item_table())
    assert not torch.equal(a.item_table(), c.item_table())


class Shrink:
    """An objective for tests: the loss, and a pull of the states towards zero."""

    def __init__(self, weight: float) -> None:
        self.weight, self.steps, self.progress = weight, [], []

    def __call__(
        self, step: Step, progress: float
    ) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        self.steps.append(step)
        self.progress.append(progress)
        loss = Softmax()(step.states, step.table, step.targets)
        shrink = step.states.square().mean()
        return loss + self.weight * shrink, {"loss": loss, "loss_shrink": shrink}

    def epoch_metrics(self) -> Mapping[str, float]:
        return {"train/n_steps": float(len(self.steps))}


def test_an_objective_of_the_loss_alone_changes_no_bit(walks: PreparedData, tmp_path: Path):
    short = replace(FIT, max_epochs=2)
    plain, result, _ = _fit(walks, tmp_path / "plain", short)
    same, other, _ = _fit(walks, tmp_path / "alone", short, loss=LossAlone(Softmax()))
    assert _timeless(other.history) == _timeless(result.history)
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name])


def test_an_objective_acts_is_logged_and_sees_the_targets_by_key(
    walks: PreparedData, tmp_path: Path
):
    short = replace(FIT, max_epochs=1)
    objective = Shrink(0.5)
    plain, _, _ = _fit(walks, tmp_path / "plain", short)
    shrunk, _, logged = _fit(walks, tmp_path / "objective", short, loss=objective)
    assert logged[0]["train/loss_shrink"] > 0
    assert logged[0]["train/n_steps"] == len(objective.steps) > 1
    assert objective.progress[0] == 0
    assert objective.progress[-1] == pytest.approx(1 - 1 / len(objective.steps))
    assert not torch.equal(plain.item_table(), shrunk.item_table())
    for step in objective.steps:
        rows, positions = step.batch.target_keys()
        at = walks.train.offsets[rows.numpy()] + positions.numpy()
        assert walks.train.items[at].tolist() == step.targets.tolist()


def test_nothing_to_learn_is_said_in_a_sentence(walks: PreparedData, tmp_path: Path):
    single = replace(walks, train=Sequences.from_lists([[1]] * len(walks.users)))
    with pytest.raises(UserError, match="no next item"):
        _fit(single, tmp_path / "fit")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_absent_cuda_is_said_in_a_sentence(walks: PreparedData, tmp_path: Path):
    with pytest.raises(UserError, match="no CUDA device"):
        _fit(walks, tmp_path / "fit", replace(FIT, device="cuda"))


@pytest.mark.parametrize(
    ("knobs", "word"),
    [
        ({"max_epochs": 0}, "max_epochs"),
        ({"ema_decay": 1.0}, "ema_decay"),
        ({"patience": -1}, "patience"),
        ({"device": "tpu"}, "device"),
    ],
)
def test_impossible_fits_are_refused(knobs: dict[str, object], word: str):
    with pytest.raises(UserError, match=word):
        FitConfig(**knobs)  # type: ignore[arg-type]


def test_parameters_without_gradient_stay(walks: PreparedData, tmp_path: Path):
    model = build_student(STUDENT, walks.catalog.n_items, seed=0)
    frozen: nn.LayerNorm = model.norm  # type: ignore[assignment]
    frozen.weight.requires_grad_(False)
    before = frozen.weight.clone()
    loss = build_loss(LossConfig(), np.ones(walks.catalog.n_items + 1, np.int64))
    fit(
        model,
        loss,
        walks,
        replace(FIT, max_epochs=1),
        log=lambda metrics, step: None,
        checkpoint_folder=tmp_path / "fit",
        seed=0,
    )
    assert torch.equal(before, frozen.weight)
