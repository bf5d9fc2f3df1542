"""Teachers on a device: their step, checkpointing, an export, and running out of memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.clock import PRECISIONS, autocast, peak_bytes, timed
from benchmarks.large_catalogs import drawn_data
from recdistill.memory import MemorySettings
from recdistill.teachers import (
    TeacherNetwork,
    TeacherRecommender,
    TrainingSettings,
    fit_teacher,
    teacher_step,
)

SETTINGS = MemorySettings(llm="smollm2-135m", batch=16, length=256, precision="bf16")


def _device_name(device: torch.device) -> Any:
    return "cuda" if device.type == "cuda" else "cpu"


def one_step(step: Any, device: torch.device, precision: str) -> float:
    """Make a teacher's forward and backward pass."""
    step.model.zero_grad(set_to_none=True)
    with step.around():
        with autocast(device, precision):
            loss = step.loss()
        loss.backward()
    return float(loss.detach())


def teacher_steps(
    device: torch.device, *, settings: MemorySettings = SETTINGS, repeats: int = 5
) -> dict[str, Any]:
    """Time the step in every precision, and in the first half of them with checkpointing."""
    found: dict[str, Any] = {}
    for precision in PRECISIONS:
        for checkpointing in (False, True):
            torch.manual_seed(0)
            change = {"precision": precision, "checkpointing": checkpointing}
            step = teacher_step(settings.but(**change, device=_device_name(device)), device)

            def work(step: Any = step, precision: str = precision) -> float:
                torch.manual_seed(1)  # dropout
                return one_step(step, device, precision)

            loss = work()
            name = f"{precision}, checkpointing" if checkpointing else precision
            found[name] = {
                "first_loss": loss,
                "tokens_per_second": settings.batch
                * settings.length
                / timed(work, device, repeats),
                "peak_bytes": peak_bytes(work, device),
            }
            del step, work
    return found


def export_speed(
    device: torch.device, *, settings: MemorySettings = SETTINGS, n_users: int = 200
) -> dict[str, float]:
    """Time the scoring of every position of some histories by a teacher of random weights."""
    network = _network(device, settings).eval()
    data = drawn_data(n_users, settings.n_items)
    scorer = TeacherRecommender(network, data.catalog.digest)
    n_positions = int((data.train.lengths - 1).sum())

    def export() -> int:
        return sum(len(part.users) for part in scorer.score_positions(data.train))

    return {"positions_per_second": n_positions / timed(export, device, 1)}


def back_off(
    device: torch.device, *, settings: MemorySettings = SETTINGS, n_users: int = 200
) -> dict[str, Any]:
    """Train in half the memory that a whole step needs: it must end in pieces, and end.

    Without a GPU there is no limit to run into, and the step stays whole.
    """
    data = drawn_data(n_users, settings.n_items)
    training = TrainingSettings(
        max_epochs=1,
        batch=settings.batch * settings.length,
        precision=_lightning(settings.precision),
    )
    needed = _fit(device, settings, training, data)
    if device.type != "cuda":
        return {"n_pieces": needed.n_parts, "limited": False}
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(device).total_memory
    resident = _resident_bytes(device, settings)
    limit = resident + (needed.measured_bytes - resident) // 2
    torch.cuda.set_per_process_memory_fraction(limit / total, device)
    try:
        fitted = _fit(device, settings, training, data)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    return {
        "n_pieces": fitted.n_parts,
        "limited": True,
        "needed_bytes": needed.measured_bytes,
        "limit_bytes": limit,
    }


def _lightning(precision: str) -> Any:
    return {"bf16": "bf16-mixed", "fp16": "16-mixed", "fp32": "32-true"}[precision]


def _resident_bytes(device: torch.device, settings: MemorySettings) -> int:
    before = torch.cuda.memory_allocated(device)
    step = teacher_step(settings.but(device=_device_name(device)), device)
    after = torch.cuda.memory_allocated(device)
    del step
    return after - before


def _network(device: torch.device, settings: MemorySettings) -> TeacherNetwork:
    network = teacher_step(settings.but(device=_device_name(device)), device).model
    assert isinstance(network, TeacherNetwork)
    return network


def _fit(device: torch.device, settings: MemorySettings, training: Any, data: Any) -> Any:
    torch.manual_seed(0)
    network = _network(device, settings)
    with tempfile.TemporaryDirectory() as folder:
        return fit_teacher(
            network,
            data,
            training,
            validate=lambda scorer: {"ndcg_at_10": 0.0},
            log=lambda metrics, step: None,
            checkpoints=Path(folder),
            watch_memory=True,
        )
