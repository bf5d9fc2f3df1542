from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
import torch.nn.functional as F

from recdistill.errors import UserError
from recdistill.evaluation import evaluate
from recdistill.teachers import (
    LoraSettings,
    OptimizerSettings,
    TeacherNetwork,
    TeacherRecommender,
    TrainingSettings,
    audit_parameters,
    fit_teacher,
)
from recdistill.teachers._backward_in_pieces import BackwardInPieces
from recdistill.teachers._precision import resolve_precision
from recdistill.teachers._progress import Progress
from recdistill.teachers._training import TeacherModule
from recdistill.teachers._windows import make_batch, training_windows

from .conftest import make_network

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData

# 32 bits on every device: what is compared to the last digit must not round differently.
SETTINGS = TrainingSettings(
    max_epochs=2,
    batch=60,
    optimizer=OptimizerSettings(lr=0.01, head_lr=0.02),
    ema=0.5,
    patience=9,
    precision="32-true",
)


def fit(
    network: TeacherNetwork, data: PreparedData, folder: Path, settings: TrainingSettings = SETTINGS
) -> tuple[object, list[dict]]:
    logged: list[dict] = []

    def validate(model: TeacherRecommender) -> dict[str, float]:
        return evaluate(model, data.val, data.catalog, data.train).metrics()

    fitted = fit_teacher(
        network,
        data,
        settings,
        validate=validate,
        log=lambda metrics, step: logged.append({**metrics, "step": step}),
        checkpoints=folder,
        seed=3,
    )
    return fitted, logged


def test_loss_is_the_plain_cross_entropy_over_the_catalog(prepared: PreparedData) -> None:
    network = make_network()
    windows = training_windows(prepared.train, 8, "newest")
    batch = make_batch(prepared.train, windows)
    n = int((batch.targets > 0).sum())
    with network.held_gate():
        got = BackwardInPieces(network, 0, torch.Tensor.backward).loss(batch, n)
        logits = network.encode(batch.items) @ network.item_table()[1:].T
    want = F.cross_entropy(logits.flatten(0, 1), batch.targets.flatten() - 1, ignore_index=-1)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("kind", ["ilora", "lora", "none", "head"])
def test_every_kind_learns_the_next_item(kind: str, prepared: PreparedData, tmp_path: Path) -> None:
    network = make_network(adapter=kind, move=False)
    before = evaluate(
        TeacherRecommender(network, prepared.catalog.digest),
        prepared.val,
        prepared.catalog,
        prepared.train,
    ).metrics()
    fitted, logged = fit(network, prepared, tmp_path)
    assert fitted.best_ndcg > before["ndcg_at_10"] + 0.05
    best = max(row["val/ndcg_at_10"] for row in logged if "val/ndcg_at_10" in row)
    assert fitted.best_ndcg == best
    after = evaluate(
        TeacherRecommender(network, prepared.catalog.digest),
        prepared.val,
        prepared.catalog,
        prepared.train,
    ).metrics()
    assert after["ndcg_at_10"] == pytest.approx(best, abs=1e-6)


def test_where_ranks_share_layers_out_memory_that_runs_out_ends_in_a_sentence(
    prepared: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another rank waits within this forward for the same layer: nobody can start over alone."""
    network = make_network()
    step = BackwardInPieces(network, 0, torch.Tensor.backward, shared_layers=True)
    batch = make_batch(prepared.train, training_windows(prepared.train, 8, "newest"))

    def too_large(*_: object) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory: tried 2 GiB")

    monkeypatch.setattr(step, "loss", too_large)
    with pytest.raises(UserError, match=r"tried 2 GiB.*strategy=fsdp a step cannot start over"):
        step(batch, Progress(), torch.optim.SGD(network.trainable().values()))


def test_dropout_is_on_in_every_step_and_off_in_the_recommender(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network().eval()
    modes: list[tuple[bool, bool]] = []
    loss = BackwardInPieces.loss

    def watched(self: BackwardInPieces, *args: object) -> torch.Tensor:
        modes.append((network.head.dropout.training, network.recommender.dropout.training))
        return loss(self, *args)

    monkeypatch.setattr(BackwardInPieces, "loss", watched)
    fitted, _ = fit(network, prepared, tmp_path)
    assert modes == [(True, False)] * fitted.n_steps


def test_the_frozen_parts_do_not_move(prepared: PreparedData, tmp_path: Path) -> None:
    network = make_network(move=False)
    learning = set(network.trainable())
    before = {n: t.clone() for n, t in network.state_dict().items() if n not in learning}
    fit(network, prepared, tmp_path)
    assert before
    after = network.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_out_of_memory_repeats_the_step_in_more_pieces_with_the_same_result(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, stressed = make_network(move=False), make_network(move=False)
    want, _ = fit(calm, prepared, tmp_path / "a")
    encode = TeacherNetwork.encode

    def scarce(self: TeacherNetwork, items: torch.Tensor) -> torch.Tensor:
        if self is stressed and torch.is_grad_enabled() and len(items) > 2:
            raise torch.OutOfMemoryError("no room")
        return encode(self, items)

    monkeypatch.setattr(TeacherNetwork, "encode", scarce)
    got, _ = fit(stressed, prepared, tmp_path / "b")
    assert got.n_parts > 1
    assert (got.n_steps, got.best_epoch) == (want.n_steps, want.best_epoch)
    assert got.best_ndcg == pytest.approx(want.best_ndcg, abs=1e-3)
    for name, p in calm.trainable().items():
        torch.testing.assert_close(stressed.trainable()[name], p, rtol=1e-3, atol=1e-4, msg=name)


def test_a_window_that_can_never_fit_ends_in_a_sentence(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(BackwardInPieces, "loss", never)
    with pytest.raises(UserError, match="does not fit the memory"):
        fit(make_network(), prepared, tmp_path)


def test_resuming_ends_as_if_never_stopped(prepared: PreparedData, tmp_path: Path) -> None:
    lora = LoraSettings(dropout=0.2)
    whole, stopped = make_network(lora=lora), make_network(lora=lora)
    want, _ = fit(whole, prepared, tmp_path / "whole")

    class KilledError(Exception):
        pass

    kill_at = want.n_steps // 3 + 2
    step = TeacherModule.training_step

    def fragile(self: TeacherModule, batch: object, index: int) -> None:
        if self.progress.step == kill_at:
            raise KilledError
        step(self, batch, index)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TeacherModule, "training_step", fragile)
        with pytest.raises(KilledError):
            fit(stopped, prepared, tmp_path / "stopped")
    resumed = make_network(lora=lora, seed=9)
    got, logged = fit(resumed, prepared, tmp_path / "stopped")
    assert got == want
    assert next(row["step"] for row in logged if "val/ndcg_at_10" in row) > kill_at
    for name, p in whole.trainable().items():
        assert torch.equal(resumed.trainable()[name], p), name


def test_an_expert_without_gradient_stops_the_training(
    prepared: PreparedData, tmp_path: Path
) -> None:
    network = make_network(move=False)
    with torch.no_grad():
        network.router.logits.bias.copy_(torch.tensor([1e4, 0.0]))
    with pytest.raises(UserError, match=r"no gradient in .*expert 1"):
        fit(network, prepared, tmp_path)


def test_a_detached_router_stops_the_training_at_the_second_backward(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network(move=False)
    forward = type(network.router).forward
    monkeypatch.setattr(type(network.router), "forward", lambda self, x: forward(self, x).detach())
    with pytest.raises(UserError, match=r"After backward 2 .*router"):
        fit(network, prepared, tmp_path)


def test_the_first_bad_tensor_is_named(prepared: PreparedData, tmp_path: Path) -> None:
    network = make_network()
    handle = network.projector.layers[1].register_forward_hook(lambda *a: a[-1] * float("nan"))
    with pytest.raises(UserError, match=r"projector\.layers\.1"):
        fit(network, prepared, tmp_path)
    handle.remove()
    with torch.no_grad():
        network.projector.layers[2].bias[0] = float("inf")
    with pytest.raises(UserError, match=r"parameter projector\.layers\.2\.bias"):
        fit(network, prepared, tmp_path / "again")


def test_checkpointing_reaches_the_same_place(prepared: PreparedData, tmp_path: Path) -> None:
    plain, checkpointed = make_network(), make_network()
    want, _ = fit(plain, prepared, tmp_path / "a")
    got, _ = fit(checkpointed, prepared, tmp_path / "b", replace(SETTINGS, checkpointing=True))
    assert got.best_ndcg == pytest.approx(want.best_ndcg, abs=1e-3)
    for name, p in plain.trainable().items():
        torch.testing.assert_close(checkpointed.trainable()[name], p, rtol=1e-3, atol=1e-4)


def test_half_precision_learns_with_32_bit_trainables(
    prepared: PreparedData, tmp_path: Path
) -> None:
    network = make_network(move=False)
    fitted, _ = fit(network, prepared, tmp_path, replace(SETTINGS, precision="bf16-mixed"))
    assert fitted.best_ndcg > 0.45  # three in eight is what an order at random gives
    assert all(p.dtype == torch.float32 for p in network.trainable().values())


def test_audit_lists_every_tensor_once_with_its_bytes() -> None:
    network = make_network()
    audit = audit_parameters(network)
    trainable = audit[audit["trainable"]]
    assert set(trainable["name"]) == set(network.trainable())
    assert trainable["bytes"].sum() == sum(p.nbytes for p in network.trainable().values())
    assert not audit.loc[audit["name"].str.startswith("recommender."), "trainable"].any()
    assert audit["name"].is_unique


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_precision_follows_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    for able, expected in (
        ({}, ("32-true", torch.float32)),
        ({"avx512_bf16": False, "amx_bf16": False}, ("32-true", torch.float32)),
        ({"avx512_bf16": True}, ("bf16-mixed", torch.bfloat16)),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert resolve_precision("auto") == resolve_precision("auto", "cpu") == expected
    with pytest.raises(UserError, match="needs a GPU"):
        resolve_precision("16-mixed")


class Killed(BaseException):
    """Stands for the machine going away."""


def timeless(entries: list[dict]) -> list[dict]:
    return [{k: v for k, v in entry.items() if "second" not in k} for entry in entries]


@pytest.mark.slow
def test_a_teacher_killed_at_any_step_ends_alike_and_stays_stopped(
    prepared: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(
        SETTINGS,
        max_epochs=6,
        patience=1,
        optimizer=OptimizerSettings(lr=0.3, head_lr=0.5),
        report_seconds=1e9,
    )
    whole = make_network(move=False)
    result, logged = fit(whole, prepared, tmp_path / "whole", settings)
    n_steps = result.n_steps  # type: ignore[attr-defined]
    assert sum("val/ndcg_at_10" in entry for entry in logged) < 6, "this is about early stopping"
    step = TeacherModule._step
    for at in range(1, n_steps, 3):
        taken = []

        def dies(module: TeacherModule, batch: object, at: int = at, taken: list = taken) -> None:
            if len(taken) == at:
                raise Killed
            taken.append(1)
            step(module, batch)

        monkeypatch.setattr(TeacherModule, "_step", dies)
        with pytest.raises(Killed):
            fit(make_network(move=False), prepared, tmp_path / f"cut-{at}", settings)
        monkeypatch.setattr(TeacherModule, "_step", step)
        for _ in range(2):
            network = make_network(move=False)
            again, rest = fit(network, prepared, tmp_path / f"cut-{at}", settings)
            assert again == result, at
            assert timeless(rest) == timeless(logged)[len(logged) - len(rest) :], at
            for name, weight in whole.trainable().items():
                assert torch.equal(weight, network.trainable()[name]), (at, name)
        assert rest == [], "a finished training has nothing left to do"


def test_no_code_in_a_teachers_checkpoint_is_run(prepared: PreparedData, tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('code of the checkpoint ran')",))

    path = tmp_path / "last.ckpt"
    torch.save({"signature": "", "progress": Planted()}, path)
    archive = path.read_bytes()
    flipped = bytearray(archive)
    flipped[len(archive) // 2] ^= 1
    for content in (archive, bytes(flipped), archive[:-50], pickle.dumps(Planted()), b""):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is damaged or no checkpoint of ours") as refused:
            fit(make_network(), prepared, tmp_path)
        assert "\n" not in str(refused.value)


def test_a_teacher_with_other_settings_does_not_take_up_a_checkpoint(
    prepared: PreparedData, tmp_path: Path
) -> None:
    short = replace(SETTINGS, max_epochs=1)
    fit(make_network(), prepared, tmp_path, short)
    with pytest.raises(UserError, match=r"ema=0\.5, asked for is ema=0\.9"):
        fit(make_network(), prepared, tmp_path, replace(short, ema=0.9))
