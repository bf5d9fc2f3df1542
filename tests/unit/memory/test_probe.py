import os

import pytest
import torch

from recdistill.errors import UserError
from recdistill.memory import (
    MemorySettings,
    TrainingStep,
    draw_timeline,
    measure,
    probe,
    write_timeline,
)

TINY = MemorySettings(
    llm="gpt2", llm_layers=1, batch=2, length=16, precision="fp32", device="cpu", n_items=50
)


def dying_step(settings, device):
    os._exit(137)


def failing_step(settings, device):
    raise UserError("This cannot be built.")


def small_step(settings, device):
    layer = torch.nn.Linear(1000, 1000, bias=False, device=device)
    rows = torch.ones(settings.batch, 1000, device=device)
    return TrainingStep(layer, lambda: layer(rows).relu().square().sum())


def test_the_allocator_is_counted_to_the_byte():
    torch.set_num_threads(1)
    measured = measure(TINY.but(batch=100, optimizer="sgd"), small_step)
    weights, rows = 4_000_000, 400_000
    # The product and its relu are alive together, then the relu, its square and the sum.
    assert measured.phases["forward"] == weights + 2 * rows + 4
    assert measured.peak_bytes == measured.phases["backward"]
    assert 2 * weights <= measured.phases["optimizer"] <= 2 * weights + 10_000


@pytest.mark.slow
def test_lightning_and_a_plain_loop_take_the_same_memory():
    torch.set_num_threads(1)
    plain, lightning = (measure(TINY, loop=loop).peak_bytes for loop in ("plain", "lightning"))
    assert lightning == pytest.approx(plain, rel=0.01)


@pytest.mark.slow
def test_a_probe_gives_a_line_and_files(tmp_path):
    probed = probe(TINY, batches=[1, 2])
    slope, intercept = probed.line()
    assert intercept + 2 * slope == pytest.approx(probed.measurements[-1].peak_bytes)
    assert abs(probed.error) < 0.10
    largest, planned = probed.measurements[-1], probed.plans[-1]
    rows = write_timeline(largest, tmp_path / "t.csv").read_text().splitlines()
    assert len(rows) == len(largest.timeline) + 1
    assert max(int(row.split(",")[2]) for row in rows[1:]) == largest.peak_bytes
    assert draw_timeline(largest, planned, tmp_path / "t.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_dead_child_is_a_sentence_not_a_crash():
    with pytest.raises(UserError, match="ended by the system"):
        probe(TINY, dying_step, batches=[1])
    with pytest.raises(UserError, match="cannot be built"):
        probe(TINY, failing_step, batches=[1])


def test_no_gpu_is_said():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(UserError, match="device=cpu"):
        measure(TINY.but(device="cuda"))
