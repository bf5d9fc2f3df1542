"""A fit killed at any step ends, once resumed, as if nothing had happened."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.errors import UserError
from recdistill.training import FitConfig, OptimizerConfig, Softmax, signature_lines
from recdistill.training._resume import resumable_checkpoint

from .test_fit import FIT, Killed, _fit, _timeless

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.training import Step

# Learns too fast to go on for long: stops early, in the middle of its schedule.
STOPPING = replace(
    FIT, max_epochs=9, patience=2, tokens_per_batch=1000,
    optimizer=OptimizerConfig(lr=0.3, schedule="cosine", warmup=0.2),
)  # fmt: skip


class Counting:
    """An objective that counts its steps across an interruption and dies at one of them."""

    def __init__(self, kill_at: int | None = None) -> None:
        self.kill_at, self.n_steps, self.n_here = kill_at, 0, 0

    def __call__(
        self, step: Step, progress: float
    ) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        if self.n_here == self.kill_at:
            raise Killed
        self.n_here += 1
        self.n_steps += 1
        loss = Softmax()(step.states, step.table, step.targets)
        return loss, {"loss": loss}

    def epoch_metrics(self) -> Mapping[str, float]:
        return {"train/n_steps": float(self.n_steps)}

    def state(self) -> dict[str, int]:
        return {"n_steps": self.n_steps}

    def restore(self, state: Mapping[str, int]) -> None:
        self.n_steps = state["n_steps"]


def test_killed_at_any_step_history_weights_and_log_are_equal(
    walks: PreparedData, tmp_path: Path
) -> None:
    counted = Counting()
    whole, result, logged = _fit(walks, tmp_path / "whole", STOPPING, loss=counted)
    assert result.n_epochs < STOPPING.max_epochs, "this is about early stopping"
    for at in range(0, counted.n_here, 2):
        folder = tmp_path / f"cut-{at}"
        with pytest.raises(Killed):
            _fit(walks, folder, STOPPING, loss=Counting(kill_at=at))
        resumed, again, rest = _fit(walks, folder, STOPPING, loss=Counting())
        assert _timeless(again.history) == _timeless(result.history), at
        assert again.n_epochs == result.n_epochs
        assert _timeless(rest) == _timeless(logged)[len(logged) - len(rest) :], at
        for name, weight in whole.state_dict().items():
            assert torch.equal(weight, resumed.state_dict()[name]), (at, name)


@pytest.mark.parametrize("config", [STOPPING, replace(STOPPING, validate_every=2, patience=1)])
def test_a_fit_that_stopped_early_stays_stopped(
    walks: PreparedData, tmp_path: Path, config: FitConfig
) -> None:
    model, result, _ = _fit(walks, tmp_path, config)
    assert result.n_epochs < config.max_epochs
    for _ in range(2):
        again, same, logged = _fit(walks, tmp_path, config)
        assert logged == []
        assert same == result
        assert torch.equal(model.item_table(), again.item_table())


class Planted:
    """What a checkpoint from elsewhere may hold."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code of the checkpoint ran')",))


def test_a_damaged_or_planted_checkpoint_is_one_sentence(
    walks: PreparedData, tmp_path: Path
) -> None:
    short = replace(FIT, max_epochs=1)
    _fit(walks, tmp_path, short)
    path = tmp_path / "last.ckpt"
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    for content in (b"", good[: len(good) // 2], bytes(flipped), pickle.dumps(Planted())):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"last\.ckpt is damaged or no checkpoint of ours"):
            _fit(walks, tmp_path, short)
    torch.save({"callbacks": Planted()}, path)
    with pytest.raises(UserError, match="is damaged or no checkpoint of ours"):
        _fit(walks, tmp_path, short)


def test_a_checkpoint_of_a_version_with_fewer_settings_says_which_one_is_new(
    tmp_path: Path,
) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"facts": "dim=64\nseed=0"}, path)
    wanted = signature_lines({"dim": 64, "query_time": "none", "seed": 1})
    with pytest.raises(UserError) as refused:
        resumable_checkpoint(path, wanted, lambda saved: str(saved["facts"]))
    assert (
        "it has no query_time, asked for is query_time=none; it has seed=0, asked for is seed=1."
    ) in str(refused.value)


def test_ctrl_c_leaves_as_ctrl_c_and_can_be_pressed_again(
    walks: PreparedData, tmp_path: Path
) -> None:
    import signal

    # A shell starts what runs in its background with Ctrl-C ignored, these tests too.
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)

    class Interrupting(Counting):
        def __call__(self, step: Step, progress: float):
            if self.n_here == 3:
                signal.raise_signal(signal.SIGINT)
            return super().__call__(step, progress)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        _fit(walks, tmp_path, FIT, loss=Interrupting())
    assert signal.getsignal(signal.SIGINT) is before
    signal.signal(signal.SIGINT, outside)
