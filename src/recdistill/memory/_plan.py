"""What a training step will need in memory, from the model's configuration alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recdistill.memory._ledger import Moment
from recdistill.memory._rehearsal import rehearse
from recdistill.memory._shapes import decoder_config, decoder_depth
from recdistill.memory._step import StepBuilder, decoder_step

if TYPE_CHECKING:
    from recdistill.memory._settings import MemorySettings

MB = 10**6
GIB = 2**30
# The allocator hands out larger blocks than asked for and cannot use every gap between them.
MARGIN = {"cuda": 0.10, "cpu": 0.0}
CONTEXT_BYTES = {"cuda": 500 * MB, "cpu": 0}  # CUDA context and kernels, outside the allocator
DEPTHS = (4, 6)  # of the two rehearsals that a deeper decoder is planned from
RESIDENT = ("weights", "trainable", "optimizer", "copies", "workspace")
# How far plan and measurement may lie apart. On CPU the worst of the committed grid is 2.5% and a
# whole teacher on ML-100K is 3.4%; on a GPU the promise is 10%.
ERROR = {"cuda": 0.10, "cpu": 0.05}
Verdict = Literal["fits", "unsure", "too large"]


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes of one training step at its highest moment, by cause.

    Attributes
    ----------
    settings : MemorySettings
    peak_bytes : int
        Tensor storage at the highest moment; what ``torch.cuda.max_memory_allocated`` reports.
    phase : str
        ``forward``, ``backward`` or ``optimizer``: where that moment lies.
    phases : dict
        Highest number of bytes in each phase.
    causes : dict
        Bytes at the highest moment by cause; they add up to ``peak_bytes``.
    layer : dict
        What one layer in the middle of the decoder keeps for the backward pass, by cause.
    margin_bytes, context_bytes : int
        What the allocator and the CUDA context take beside the tensors.
    """

    settings: MemorySettings
    peak_bytes: int
    phase: str
    phases: dict[str, int]
    causes: dict[str, int]
    layer: dict[str, int]
    margin_bytes: int
    context_bytes: int

    @property
    def total_bytes(self) -> int:
        """What a device must have free: the peak, the allocator's margin and the context."""
        return self.peak_bytes + self.margin_bytes + self.context_bytes

    def verdict(self, budget_bytes: int) -> Verdict:
        """Say whether a budget suffices, or that only a measurement can tell.

        ``unsure`` where the budget lies within the plan's own error: neither refusing nor
        accepting would be safe there.
        """
        error = int(ERROR[self.settings.device] * self.peak_bytes)
        if budget_bytes >= max(self.total_bytes, self.peak_bytes + self.context_bytes + error):
            return "fits"
        if budget_bytes < self.peak_bytes + self.context_bytes - error:
            return "too large"
        return "unsure"

    @property
    def resident_bytes(self) -> int:
        """What stays between steps, whatever the batch."""
        return sum(self.causes.get(cause, 0) for cause in RESIDENT)

    def metrics(self) -> dict[str, float]:
        """Figures to log; one MB is 10^6 bytes."""
        parts = self.causes | {"margin": self.margin_bytes, "context": self.context_bytes}
        return {
            "memory/planned_peak_mb": self.peak_bytes / MB,
            "memory/planned_total_mb": self.total_bytes / MB,
            **{f"memory/planned_{p}_peak_mb": n / MB for p, n in self.phases.items()},
            **{f"memory/planned/{cause}_mb": n / MB for cause, n in parts.items()},
        }

    def table(self) -> str:
        """Render the plan as a Markdown table, largest cause first."""
        rows = sorted(self.causes.items(), key=lambda pair: -pair[1])
        rows += [("allocator margin", self.margin_bytes), ("CUDA context", self.context_bytes)]
        lines = ["| cause | MB | share |", "|---|---:|---:|"]
        lines += [
            f"| {cause} | {n / MB:,.1f} | {n / self.total_bytes:.1%} |" for cause, n in rows if n
        ]
        lines.append(
            f"| **all** (peak in {self.phase}) | **{self.total_bytes / MB:,.1f}** | 100% |"
        )
        return "\n".join(lines)


def plan(settings: MemorySettings, build: StepBuilder = decoder_step) -> MemoryPlan:
    """Plan the memory of one training step, without weights and without a device.

    Parameters
    ----------
    settings : MemorySettings
    build : callable
        Builds the step on the device it is given, here ``meta``; default: a teacher of these
        settings on the decoder named.

    Raises
    ------
    UserError
        For settings that name no known decoder, or layers it does not have.
    """
    moments, layer = _moments(settings, build)
    stretch, peak = max(moments.items(), key=lambda pair: pair[1].n_bytes)
    phases: dict[str, int] = {}
    for name, moment in moments.items():
        phase = name.split("/")[0]
        phases[phase] = max(phases.get(phase, 0), moment.n_bytes)
    resident = sum(peak.causes.get(cause, 0) for cause in RESIDENT)
    return MemoryPlan(
        settings=settings,
        peak_bytes=peak.n_bytes,
        phase=stretch.split("/")[0],
        phases=phases,
        causes=peak.causes,
        layer=layer,
        margin_bytes=int(MARGIN[settings.device] * (peak.n_bytes - resident)),
        context_bytes=CONTEXT_BYTES[settings.device],
    )


def _moments(
    settings: MemorySettings, build: StepBuilder
) -> tuple[dict[str, Moment], dict[str, int]]:
    """Highest moments of the step, deep decoders from two shallow rehearsals.

    The layers of a decoder are alike. At any given place of the step (before the decoder, in its
    first or last layers, behind it) the live bytes are then a linear function of the depth, and in
    the layers between first and last they lie between these two. So two depths give every depth
    exactly, wherever its peak lies.
    """
    config = decoder_config(settings.llm, settings.llm_layers)
    depth = decoder_depth(config)
    alike = len(set(getattr(config, "layer_types", None) or [""])) == 1
    if depth <= DEPTHS[1] or not alike:
        ledger = rehearse(settings, build)
        return ledger.moments(), ledger.kept_by_layer()
    ledgers = [rehearse(settings.but(llm_layers=n), build) for n in DEPTHS]
    low, high = (ledger.moments() for ledger in ledgers)
    far = (depth - DEPTHS[0]) / (DEPTHS[1] - DEPTHS[0])
    moments = {}
    for stretch in low.keys() & high.keys() - {"forward/middle", "backward/middle"}:
        names = low[stretch].causes.keys() | high[stretch].causes.keys()
        causes = {}
        for name in sorted(names):
            start, end = (m[stretch].causes.get(name, 0) for m in (low, high))
            causes[name] = round(start + far * (end - start))
        moments[stretch] = Moment(sum(causes.values()), causes)
    return moments, ledgers[1].kept_by_layer()
