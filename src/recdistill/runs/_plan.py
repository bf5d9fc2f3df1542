"""What a run of many steps will do, and how long each of them takes on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.progress import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.runs._step_costs import StepCosts


@dataclass(frozen=True)
class PlannedStep:
    """A step, or ``n`` that differ in their seed alone; ``kind`` is what its cost is known by."""

    kind: str
    what: str
    n: int = 1


@dataclass(frozen=True)
class Plan:
    """Steps in their order, ``at_once`` of them at a time.

    Attributes
    ----------
    costs : what steps take here; None where these steps were never measured.
    """

    steps: Sequence[PlannedStep]
    at_once: int
    costs: StepCosts | None = None

    def weights(self) -> dict[str, tuple[float, int]]:
        """Return the seconds of each kind of step (1 where unknown), and how many there are."""
        return {step.kind: (self._seconds(step) or 1.0, step.n) for step in self.steps}

    def text(self, title: str) -> str:
        """Say it: a line of all, then one of each step."""
        n = sum(step.n for step in self.steps)
        lines = [f"{title}: {n} steps{self._how()}"]
        for i, step in enumerate(self.steps, start=1):
            seconds = self._seconds(step)
            times = f"{step.n} x" if step.n > 1 else ""
            said = f"{times} {seconds:.0f} s" if seconds else times
            lines.append(f"  {i}. {step.what:<76} {said:>10}".rstrip())
        return "\n".join(lines)

    def _how(self) -> str:
        several = f", {self.at_once} at a time" if self.at_once > 1 else ""
        if self.costs is None:
            return f"{several}; how long they take was not measured for these settings."
        whole = sum(seconds * n for seconds, n in self.weights().values()) / self.at_once
        n, load = self.costs.n_cores, self.costs.load
        cores = f"{n} core{'s' if n != 1 else ''}"
        busy = f" with {load:.1f} other processes at work" if load >= 0.5 else ""
        return f"{several}; about {duration(whole)} on these {cores}{busy}."

    def _seconds(self, step: PlannedStep) -> float | None:
        if self.costs is None or step.kind not in self.costs.seconds:
            return None
        return self.costs.seconds[step.kind] * self.costs.wall(self.at_once)
