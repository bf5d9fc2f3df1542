"""What a person reads in the terminal while a sweep goes on."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from recdistill.sweeps._queue import FINISHED, n_finished, score, tally
from recdistill.sweeps._summary import best_trial

if TYPE_CHECKING:
    from optuna import Study

    from recdistill.sweeps._study import StudySpec

_EVERY_SECONDS = 10.0


class Progress:
    """One line when something changed, at most every ten seconds."""

    def __init__(self, study: Study, spec: StudySpec) -> None:
        self._study, self._spec = study, spec
        self._said, self._next = "", 0.0

    def report(self, *, last: bool = False) -> None:
        """Say how far the study is."""
        if time.monotonic() < self._next and not last:
            return
        self._next = time.monotonic() + _EVERY_SECONDS
        line = self.line()
        if line != self._said:
            sys.stdout.write(f"sweep: {line}\n")
            sys.stdout.flush()
        self._said = line

    def line(self) -> str:
        """Count the trials and name the best."""
        counts = tally(self._study)
        total = n_finished(counts) + counts["running"] + counts["waiting"]
        words = [f"{n_finished(counts)} of {total} trials finished"]
        words += [f"{counts[state]} {state}" for state in (*FINISHED, "retried") if counts[state]]
        best = best_trial(self._study)
        if best is not None:
            words.append(f"best {self._spec.metric} {score(best):.4f} (trial {best.number})")
        return ", ".join(words)
