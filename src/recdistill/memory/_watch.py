"""Count the bytes of a real step: by PyTorch's own allocator, not by our ledger."""

from __future__ import annotations

import gc
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from torch import nn

Timeline = list[tuple[str, float, int]]


@dataclass
class Measurement:
    """What one training step took.

    Attributes
    ----------
    peak_bytes : int
        Highest number of bytes that tensors held, kernels' own scratch tensors included.
    phases : dict
        The same for each phase.
    reserved_bytes : int
        On CUDA, what the allocator had taken from the device; 0 on CPU.
    rss_bytes : int
        Highest resident size of the whole process.
    timeline : list of (phase, seconds, bytes)
    """

    peak_bytes: int
    phases: dict[str, int]
    reserved_bytes: int = 0
    rss_bytes: int = 0
    timeline: Timeline = field(default_factory=list)

    @property
    def needed_bytes(self) -> int:
        """What must be free for it, on CUDA what the allocator took for its tensors."""
        return max(self.peak_bytes, self.reserved_bytes)


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of the distinct storages behind some tensors."""
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())


class CpuWatch:
    """Follow every allocation and release that PyTorch's CPU allocator reports to the profiler.

    Parameters
    ----------
    resident : callable-free iterable of tensors
        What is alive when the watch begins.
    """

    def __init__(self, resident: Iterable[torch.Tensor]) -> None:
        self._resident = list(resident)
        self._marks: list[tuple[int, str]] = []

    def begin(self) -> None:
        """Start at a moment when only the resident tensors are alive."""
        gc.collect()
        self._start = bytes_of(self._resident)
        self._resident.clear()
        # Else the profiler announces its start and end on the terminal.
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        self._profile = torch.profiler.profile(
            activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
        )
        self._profile.start()

    def mark(self, phase: str) -> None:
        """Begin a phase."""
        self._marks.append((time.time_ns(), phase))

    def end(self) -> Measurement:
        """Stop and add up."""
        self._profile.stop()
        profiler: Any = self._profile.profiler
        events = [
            (event.start_ns(), event.nbytes())
            for event in profiler.kineto_results.events()
            if event.name() == "[memory]"
        ]
        events.sort(key=lambda pair: pair[0])
        live, began, timeline = self._start, self._marks[0][0], Timeline()
        marks = iter([*self._marks[1:], (2**63, "")])
        phase, (until, following) = self._marks[0][1], next(marks)
        timeline.append((phase, 0.0, live))
        phases = {phase: live}
        for moment, n_bytes in events:
            while moment >= until:
                phase, (until, following) = following, next(marks)
                phases[phase] = live
            live += n_bytes
            phases[phase] = max(phases[phase], live)
            timeline.append((phase, (moment - began) / 1e9, live))
        return Measurement(max(phases.values()), phases, rss_bytes=_peak_rss(), timeline=timeline)


class CudaWatch:
    """Read the CUDA caching allocator's peaks, phase by phase.

    Parameters
    ----------
    snapshot
        Where to write the allocator's history for PyTorch's memory viewer, if anywhere. It is a
        pickle: it is written here and never read.
    """

    def __init__(self, snapshot: Path | None = None) -> None:
        self._snapshot = snapshot
        self._phase = ""
        self._phases: dict[str, int] = {}
        self._timeline: Timeline = []

    def begin(self) -> None:
        """Start with empty peaks."""
        gc.collect()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        self._began = time.perf_counter()
        self._reserved = 0
        if self._snapshot:
            torch.cuda.memory._record_memory_history(max_entries=200_000)

    def mark(self, phase: str) -> None:
        """Close the phase before and begin this one."""
        self._close()
        self._phase = phase
        torch.cuda.reset_peak_memory_stats()

    def end(self) -> Measurement:
        """Stop and read the last phase."""
        self._close()
        if self._snapshot:
            torch.cuda.memory._dump_snapshot(str(self._snapshot))  # type: ignore[no-untyped-call]
            torch.cuda.memory._record_memory_history(enabled=None)
        return Measurement(
            max(self._phases.values()),
            self._phases,
            self._reserved,
            _peak_rss(),
            self._timeline,
        )

    def _close(self) -> None:
        if not self._phase:
            return
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated()
        self._phases[self._phase] = max(peak, self._phases.get(self._phase, 0))
        self._reserved = max(self._reserved, torch.cuda.max_memory_reserved())
        moment = time.perf_counter() - self._began
        self._timeline.append((self._phase, moment, peak))
        self._timeline.append((self._phase, moment, torch.cuda.memory_allocated()))


def _peak_rss() -> int:
    try:
        import resource
    except ImportError:  # not on Windows
        return int(psutil.Process().memory_info().rss)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def watch_step(model: nn.Module, step: Callable[[], None]) -> int:
    """Run the first step of a training and return what it and all later ones need, in bytes.

    That is its highest moment plus what it leaves behind for good: the optimizer's state and any
    running average come into being at its end and are there in every later one. Gradients are
    freed; the step is otherwise the one that would have run anyway.
    """
    on_gpu = next(model.parameters()).is_cuda
    watch: CpuWatch | CudaWatch
    watch = CudaWatch() if on_gpu else CpuWatch([*model.parameters(), *model.buffers()])
    watch.begin()
    before = torch.cuda.memory_allocated() if on_gpu else 0
    watch.mark("step")
    step()
    model.zero_grad(set_to_none=True)
    left = torch.cuda.memory_allocated() - before if on_gpu else 0
    measured = watch.end()
    if not on_gpu:
        left = measured.timeline[-1][2] - measured.timeline[0][2]
    return measured.peak_bytes + max(left, 0)
