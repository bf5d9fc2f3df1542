"""How long the steps of ``main`` take on this machine, from what they took where measured."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class StepCosts:
    """CPU seconds that a step of each kind takes on this machine.

    Attributes
    ----------
    seconds : by kind of step.
    n_cores : of this machine.
    load : processes that were already working when this was made.
    """

    seconds: Mapping[str, float]
    n_cores: int
    load: float

    def wall(self, at_once: int) -> float:
        """Wall seconds of one CPU second while ``at_once`` steps work beside what works already."""
        return max(1.0, (self.load + at_once) / self.n_cores)


def step_costs(path: Path) -> StepCosts | None:
    """Read what steps took when they were measured, scaled by a short piece of work done here.

    Parameters
    ----------
    path : Path
        Written by ``benchmarks.demo`` or ``benchmarks.full_price`` from what a run of ``main`` kept
        about itself.

    Returns
    -------
    StepCosts or None
        None where nothing was measured, as in a wheel.
    """
    if not path.is_file():
        return None
    measured = json.loads(path.read_text(encoding="utf-8"))
    slower = probe_seconds() / measured["probe_seconds"]
    kinds: dict[str, list[float]] = {}
    for step in measured["steps"]:
        kinds.setdefault(step["kind"], []).append(step["cpu_seconds"])
    return StepCosts(
        {kind: slower * mean(taken) for kind, taken in kinds.items()},
        os.cpu_count() or 1,
        os.getloadavg()[0],
    )


def probe_seconds() -> float:
    """CPU seconds of a fixed piece of work, like that of a stage: Python, then arrays.

    About a quarter of a second; the better of two, since what else the machine does disturbs it.
    """
    import numpy as np  # not before the settings are read

    taken = []
    for _ in range(2):
        began = time.thread_time()
        total = 0
        for i in range(400_000):
            total += i % 7
        values = np.random.default_rng(total).random(500_000)
        for _ in range(3):
            np.sort(values)
            np.exp(values).cumsum()
        taken.append(time.thread_time() - began)
    return min(taken)
