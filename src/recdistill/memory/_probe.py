"""Measure in a process of its own, so that neither a crash nor a residue can reach the caller."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError
from recdistill.memory._measure import Loop, measure
from recdistill.memory._plan import MemoryPlan, plan
from recdistill.memory._step import StepBuilder, decoder_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from recdistill.memory._settings import MemorySettings
    from recdistill.memory._watch import Measurement


class OutOfMemoryError(UserError):
    """A probed step did not fit."""


@dataclass(frozen=True)
class Probe:
    """Planned and measured peaks of one setting at several batch sizes.

    Attributes
    ----------
    batches : list of int
    plans : list of MemoryPlan
    measurements : list of Measurement
    """

    batches: list[int]
    plans: list[MemoryPlan]
    measurements: list[Measurement]

    @property
    def error(self) -> float:
        """Planned over measured peak minus one, at the largest batch."""
        return self.plans[-1].peak_bytes / self.measurements[-1].peak_bytes - 1.0

    def line(self) -> tuple[float, float]:
        """Slope (bytes per row) and intercept (bytes) of the measured peaks, least squares."""
        n = len(self.batches)
        peaks = [m.peak_bytes for m in self.measurements]
        mean_batch, mean_peak = sum(self.batches) / n, sum(peaks) / n
        spread = sum((b - mean_batch) ** 2 for b in self.batches)
        if not spread:
            return float("nan"), float("nan")
        pairs = zip(self.batches, peaks, strict=True)
        slope = sum((b - mean_batch) * (p - mean_peak) for b, p in pairs) / spread
        return slope, mean_peak - slope * mean_batch


def probe(
    settings: MemorySettings,
    build: StepBuilder = decoder_step,
    *,
    batches: Sequence[int] = (),
    loop: Loop = "plain",
    snapshot: Path | None = None,
    timeout_seconds: float = 600.0,
) -> Probe:
    """Plan and measure one training step at each batch size.

    Parameters
    ----------
    settings : MemorySettings
    build : callable
        A function of a module (it is imported again in the child); default: the planner's own step.
    batches : sequence of int
        Ascending; default: a quarter, a half and the whole of ``settings.batch``.
    loop : {"plain", "lightning"}
    snapshot : Path, optional
        Where the CUDA allocator's history of the largest batch goes.

    Raises
    ------
    OutOfMemoryError
        When a step does not fit, or the system ends the child.
    UserError
        When the child takes longer than ``timeout_seconds``.
    """
    sizes = sorted(
        set(batches) or {max(1, settings.batch // 4), max(1, settings.batch // 2), settings.batch}
    )
    measured = []
    for size in sizes:
        last = snapshot if size == sizes[-1] else None
        measured.append(_in_child(settings.but(batch=size), build, loop, last, timeout_seconds))
    return Probe(sizes, [plan(settings.but(batch=n)) for n in sizes], measured)


def _in_child(
    settings: MemorySettings,
    build: StepBuilder,
    loop: Loop,
    snapshot: Path | None,
    timeout_seconds: float,
) -> Measurement:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(sender, settings, build, loop, snapshot))
    child.start()
    sender.close()
    try:
        answer: Any = receiver.recv() if receiver.poll(timeout_seconds) else None
    except EOFError:
        answer = None
    if answer is None and child.is_alive():
        child.join(timeout=1)  # it may only just be dying; then its exit code tells how
    alive = child.is_alive()
    if answer is None:
        child.kill()
    child.join()
    where = f"batch={settings.batch}, length={settings.length} on {settings.device}"
    if answer is None and alive:
        raise UserError(
            f"The probe at {where} took longer than {timeout_seconds:g} s; lower batch."
        )
    if answer is None:
        raise OutOfMemoryError(
            f"The probe at {where} was ended by the system (exit code {child.exitcode}), most "
            "likely out of memory: lower batch or length, or set checkpointing=true."
        )
    kind, content = answer
    if kind == "memory":
        raise OutOfMemoryError(f"The probe at {where} ran out of memory ({content}): lower batch.")
    if kind == "user":
        raise UserError(content)
    if kind == "error":
        raise RuntimeError(f"the probe's process failed:\n{content}")
    measurement: Measurement = content
    return measurement


def _child(
    sender: Any, settings: MemorySettings, build: StepBuilder, loop: Loop, snapshot: Path | None
) -> None:
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.manual_seed(0)
    try:
        sender.send(("measured", measure(settings, build, loop=loop, snapshot=snapshot)))
    except UserError as error:
        sender.send(("user", str(error)))
    except torch.cuda.OutOfMemoryError as error:
        sender.send(("memory", str(error).splitlines()[0]))
    except BaseException:
        sender.send(("error", traceback.format_exc()))
    finally:
        sender.close()
