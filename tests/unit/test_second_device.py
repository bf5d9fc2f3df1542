"""Steps of students and teachers on a second device, and in half precision.

CI has no GPU. What goes wrong on one for being on another device, or in another number format,
goes wrong here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from benchmarks.gpu.clock import PRECISIONS
from benchmarks.gpu.students import fused_passes, one_step, step_of
from recdistill.students import STUDENT_KINDS, StudentConfig
from recdistill.training import LossConfig
from recdistill.training._averaging import AveragedWeights
from tests.second_device import SECOND, OnSecond, SecondDevice

if TYPE_CHECKING:
    from recdistill.students import StudentKind

LOSSES = ("softmax", "sampled_softmax", "mixed_softmax", "gbce")
SMALL = StudentConfig(dim=8, n_blocks=1, max_length=12)


def test_the_second_device_refuses_what_a_gpu_refuses():
    with SecondDevice():
        there = torch.arange(6.0).reshape(2, 3).to(SECOND)
        assert isinstance(there, OnSecond)
        assert there.device == SECOND
        for mistake in (
            lambda: there + torch.ones(3),
            lambda: torch.cat([there, torch.ones(2, 3)]),
            lambda: torch.ones(2, 3).index_select(
                0, torch.zeros(1, dtype=torch.long, device=SECOND)
            ),
            lambda: there.index_put_((torch.tensor([0]),), torch.ones(1, 3)),
        ):
            with pytest.raises(RuntimeError, match="tensors on two devices"):
                mistake()
        assert (there + torch.tensor(1.0)).cpu().tolist() == [[1, 2, 3], [4, 5, 6]]
        assert there[torch.tensor([1])].cpu().tolist() == [[3, 4, 5]]
        assert torch.ones(2, device=SECOND).add_(1).sum().item() == 4


@pytest.mark.parametrize("kind", STUDENT_KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_students_step_on_a_second_device_is_the_cpus(kind: StudentKind, loss: str):
    config = LossConfig(loss, n_negatives=5)  # type: ignore[arg-type]
    here = step_of(kind, config, SMALL, n_items=30, n_windows=4, device=torch.device("cpu"))
    expected = one_step(here, "fp32")
    with SecondDevice():
        there = step_of(kind, config, SMALL, n_items=30, n_windows=4, device=SECOND)
        average = AveragedWeights(there.model, 0.9)
        assert one_step(there, "fp32") == pytest.approx(expected, rel=1e-5)
        average.update()
        for mine, theirs in zip(here.model.parameters(), there.model.parameters(), strict=True):
            assert isinstance(theirs.grad, OnSecond)
            off = (theirs.grad.cpu() - mine.grad).norm()
            assert off <= 1e-5 * mine.grad.norm() + 1e-8


@pytest.mark.parametrize("kind", STUDENT_KINDS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_students_step_under_autocast_is_nearly_that_in_single_precision(
    kind: StudentKind, loss: str
):
    config = LossConfig(loss, n_negatives=5)  # type: ignore[arg-type]
    losses = {}
    for precision in PRECISIONS:
        step = step_of(kind, config, SMALL, n_items=30, n_windows=4, device=torch.device("cpu"))
        losses[precision] = one_step(step, precision)
        assert all(torch.isfinite(p.grad).all() for p in step.model.parameters())
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)
    assert losses["fp16"] == pytest.approx(losses["fp32"], rel=0.02)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_fused_passes_agree_with_plain_ones_under_autocast(precision: str):
    found = fused_passes(
        torch.device("cpu"), precision, n_targets=40, n_items=200, dim=8, repeats=1
    )
    for name, errors in found.items():
        assert errors["value_error"] < 1e-5, name
        assert errors["gradient_error"] < 1e-4, name


def test_fused_passes_on_a_second_device():
    with SecondDevice():
        found = fused_passes(SECOND, "fp32", n_targets=40, n_items=200, dim=8, repeats=1)
    assert max(errors["gradient_error"] for errors in found.values()) < 1e-4
    assert np.isfinite([errors["seconds"] for errors in found.values()]).all()
