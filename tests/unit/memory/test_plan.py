import json
import resource
import time
from pathlib import Path
from statistics import median

import pytest
import torch

from benchmarks.memory_grid import GRID, with_device
from recdistill.errors import UserError
from recdistill.memory import MemorySettings, _plan, measure, plan

DATA = Path(__file__).parents[3] / "benchmarks" / "data"
TINY = MemorySettings(llm="smollm2-135m", llm_layers=2, batch=2, length=32, precision="fp32")


def test_grid_is_large_and_varied_enough():
    rows = json.loads((DATA / "memory_grid_cpu.json").read_text())["rows"]
    assert [row["settings"] for row in rows] == GRID
    assert len(rows) >= 24
    assert len({row["settings"]["llm"] for row in rows}) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_plan_is_near_every_measured_peak_and_judges_none_wrongly(device):
    if not (DATA / f"memory_grid_{device}.json").exists():
        pytest.skip(f"no grid was measured on {device}")
    rows = json.loads((DATA / f"memory_grid_{device}.json").read_text())["rows"]
    errors, undecided = [], 0
    for row in rows:
        planned, needed = plan(with_device(row["settings"], device)), row["peak_bytes"]
        errors.append(abs(planned.peak_bytes / needed - 1))
        for permille in range(800, 1201, 5):
            budget = needed * permille // 1000
            verdict = planned.verdict(budget)
            assert verdict != ("too large" if budget >= needed else "fits"), row["settings"]
            undecided += verdict == "unsure"
            if not 920 <= permille <= 1080:
                assert verdict != "unsure"
    assert max(errors) <= 0.10
    assert median(errors) <= 0.05
    assert undecided > 0


@pytest.mark.parametrize(("batch", "measured_mb"), [(32, 35_842), (64, 57_853)])
def test_plan_is_near_the_original_projects_gpu(batch, measured_mb):
    settings = MemorySettings(
        llm="llama-2-7b", batch=batch, adapter="lora", target_modules="q_proj,v_proj"
    )
    assert plan(settings).peak_bytes / 1e6 == pytest.approx(measured_mb, rel=0.10)


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"checkpointing": True},
        {"llm": "opt-125m", "gating": "outputs"},
        {"llm": "gpt2", "attention": "eager", "mode": "generate"},
        {"precision": "bf16"},
    ],
    ids=str,
)
def test_plan_meets_a_step_measured_now(change):
    torch.set_num_threads(1)
    settings = TINY.but(device="cpu", **change)
    assert plan(settings).peak_bytes == pytest.approx(measure(settings).peak_bytes, rel=0.05)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_plan_meets_a_step_measured_on_the_gpu():
    settings = MemorySettings(llm="smollm2-135m", batch=8, length=128)
    assert plan(settings).peak_bytes == pytest.approx(measure(settings).peak_bytes, rel=0.10)


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("resize", ["none", "trainable"])
def test_two_shallow_rehearsals_give_the_full_depth_to_the_byte(monkeypatch, checkpointing, resize):
    settings = MemorySettings(
        llm="gpt2", batch=2, length=16, checkpointing=checkpointing, resize_vocabulary=resize
    )
    shallow = plan(settings)
    monkeypatch.setattr(_plan, "DEPTHS", (4, 1000))
    full = plan(settings)
    assert shallow.peak_bytes == full.peak_bytes
    assert shallow.phases == full.phases
    assert shallow.causes == full.causes


def test_causes_add_up_to_the_peak():
    planned = plan(TINY)
    assert sum(planned.causes.values()) == planned.peak_bytes
    assert planned.peak_bytes == max(planned.phases.values())
    assert planned.total_bytes > planned.peak_bytes


@pytest.mark.slow
def test_a_plan_costs_less_than_five_seconds_and_a_gigabyte():
    plan(TINY)  # imports and first-use tables are not the plan's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    plan(MemorySettings(llm="llama-2-7b", batch=64, length=512))
    assert time.process_time() - started < 5.0
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 1e9


def test_known_byte_counts_of_what_is_resident():
    planned = plan(TINY.but(adapter="none", train_backbone=True, device="cpu"))
    # 16 bytes per trained parameter: weight, gradient and two moments in single precision.
    trained = planned.causes["trainable"]
    assert planned.causes["gradients"] == trained
    assert planned.causes["optimizer"] == pytest.approx(2 * trained, rel=1e-4)


@pytest.mark.parametrize(
    ("cheaper", "dearer"),
    [
        ({"checkpointing": True}, {}),
        ({}, {"gating": "outputs"}),
        ({"llm": "gpt2"}, {"llm": "gpt2", "attention": "eager"}),
        ({}, {"resize_vocabulary": "trainable"}),
        ({"lora_dropout": 0.0}, {}),
        ({"precision": "bf16"}, {}),
        ({"target_modules": "q_proj"}, {}),
        ({"quant": "nf4", "precision": "bf16"}, {"precision": "bf16"}),
    ],
)
def test_knobs_move_the_plan_the_way_they_must(cheaper, dearer):
    settings = TINY.but(batch=4, length=128)
    assert plan(settings.but(**cheaper)).peak_bytes < plan(settings.but(**dearer)).peak_bytes


def test_settings_that_cannot_be_are_refused_in_a_sentence():
    for change, word in [
        ({"llm": "no-such-model"}, "neither shipped"),
        ({"llm_layers": 99}, "llm_layers=99"),
        ({"target_modules": "nothing"}, "target_modules"),
        ({"length": 100_000}, "length=100000"),
    ]:
        with pytest.raises(UserError, match=word):
            plan(TINY.but(**change))
    with pytest.raises(UserError, match="multiple"):
        TINY.but(lora_r=6)
    with pytest.raises(UserError, match="precision"):
        TINY.but(precision="fp8")
