"""The check that needs a GPU: here it runs small on the CPU, from its pieces to its page."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch

from benchmarks import gpu_check
from benchmarks.gpu.clock import PRECISIONS
from benchmarks.gpu.planner import grid_errors, llama
from benchmarks.gpu.students import fused_passes, student_steps, whole_fit
from benchmarks.gpu.teachers import back_off, export_speed, teacher_steps
from recdistill.memory import MemorySettings
from recdistill.students import STUDENT_KINDS, StudentConfig

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
FACTS = {"device": "a test", "date": "2026-01-01", "torch": torch.__version__}
TINY_LLAMA = {
    "model_type": "llama",
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
}


@pytest.fixture
def tiny(tmp_path: Path) -> MemorySettings:
    folder = tmp_path / "llm"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(TINY_LLAMA))
    return MemorySettings(
        llm=str(folder), batch=2, length=24, n_items=40, head_dim=8, precision="fp32", device="cpu"
    )


@pytest.mark.slow
def test_every_check_runs_and_its_figures_reach_the_page(tiny: MemorySettings, tmp_path: Path):
    small = StudentConfig(dim=8, n_blocks=1, max_length=12)
    checks = {
        "fused passes": lambda device: {
            p: fused_passes(device, p, n_targets=20, n_items=90, dim=8, repeats=1)
            for p in PRECISIONS
        },
        "students": partial(student_steps, config=small, n_windows=2, repeats=1),
        "a student's fit": partial(whole_fit, n_users=12, n_items=30),
        "teacher": partial(teacher_steps, settings=tiny, repeats=1),
        "export": partial(export_speed, settings=tiny, n_users=6),
        "out of memory": partial(back_off, settings=tiny, n_users=6),
        "llama-2-7b": partial(llama, settings=tiny, batches=(1, 2)),
        "planner": partial(
            grid_errors, grid=[{"llm": tiny.llm, "batch": 2, "length": 16, "n_items": 40}]
        ),
    }
    assert list(checks) == list(gpu_check.CHECKS)
    report = gpu_check.run(checks, CPU, tmp_path / "gpu" / "cpu.json", FACTS)
    assert report["failed"] == {}
    assert json.loads((tmp_path / "gpu" / "cpu.json").read_text()) == report
    assert abs(report["checks"]["planner"]["worst_error"]) < 0.1
    assert report["checks"]["out of memory"] == {"n_pieces": 1, "limited": False}
    losses = {n: f["first_loss"] for n, f in report["checks"]["teacher"].items()}
    assert losses["fp32, checkpointing"] == pytest.approx(losses["fp32"], rel=1e-5)
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.05)
    page = gpu_check.page(report)
    for said in (*(f"step of {kind} bf16" for kind in STUDENT_KINDS), "in 1 pieces", "batch 2"):
        assert said in page


def test_what_fails_or_comes_too_late_is_named_and_stops_nothing(tmp_path: Path):
    def broken(device: torch.device) -> dict[str, object]:
        raise ValueError("no such kernel\nand more")

    path = tmp_path / "out.json"
    good = {"export": lambda device: {"positions_per_second": 7.0}}
    report = gpu_check.run({"teacher": broken, **good}, CPU, path, FACTS)
    assert report["failed"] == {"teacher": "ValueError: no such kernel"}
    assert report["checks"] == {"export": {"positions_per_second": 7.0}}
    late = gpu_check.run(good, CPU, path, FACTS, seconds=-1.0)
    assert late["left_out"] == ["export"]
    assert "| teacher | failed: ValueError: no such kernel |" in gpu_check.page(report)
    assert "| export | left out for want of time |" in gpu_check.page(late)


def test_without_a_gpu_it_is_one_sentence(capsys: pytest.CaptureFixture[str]):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu_check.main() == 2
    assert "PyTorch sees no CUDA device" in capsys.readouterr().err


def test_the_page_is_of_the_newest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gpu_check, "FOLDER", tmp_path)
    assert "Not measured yet" in gpu_check.blocks()[0].text
    for device, date in (("zz", "2026-01-01"), ("aa", "2026-02-01")):
        empty = {
            **FACTS,
            "device": device,
            "date": date,
            "left_out": [],
            "failed": {},
            "checks": {},
        }
        (tmp_path / f"{device}-{date}.json").write_text(json.dumps(empty))
    assert gpu_check.blocks()[0].text.startswith("aa, 2026-02-01")
