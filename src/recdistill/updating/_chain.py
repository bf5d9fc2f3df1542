"""One clock run from window to window: what is trained before each, and how it meets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from recdistill.evaluation import evaluate, load_evaluation
from recdistill.updating._frozen import load_frozen
from recdistill.updating._outcomes import by_window, cases_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from recdistill.data import PreparedData
    from recdistill.runs import RunReference
    from recdistill.updating._clock import Clock, Step

    Train = Callable[[int, int, Step, RunReference | None], tuple[RunReference, float]]
    """Receives a seed, the window that follows, what is to be done and what goes on (None:
    anew); returns the run that trained, with its ``model`` and its ``evaluation``, and the CPU
    seconds of all that was done."""


def run_clocks(
    states: Sequence[PreparedData],
    clocks: Iterable[Clock],
    seeds: Iterable[int],
    train: Train,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run every clock with every seed; the first window's model is trained anew under all.

    Parameters
    ----------
    states : what was known before each window, and one state before them
    clocks, seeds
    train : callable
        Asked for the same training more than once: by every clock that has it.

    Returns
    -------
    cases : DataFrame
        Of ``cases_of``, with ``clock`` and ``seed``.
    windows : DataFrame
        Of ``by_window``.
    """
    tables: list[pd.DataFrame] = []
    costs: list[dict[str, Any]] = []
    clocks = list(clocks)
    for seed in seeds:
        for clock in clocks:
            for window, step, found, cpu_seconds in _chain(states, clock, seed, train):
                cases = cases_of(states, window, found)
                tables.append(cases.assign(clock=clock.words, seed=seed))
                spent: dict[str, Any] = {"clock": clock.words, "seed": seed, "step": step}
                spent |= {"window": cases["window"].iloc[0], "cpu_seconds": cpu_seconds}
                costs.append(spent)
    together = pd.concat(tables, ignore_index=True)
    return together, by_window(together, pd.DataFrame(costs))


def _chain(
    states: Sequence[PreparedData], clock: Clock, seed: int, train: Train
) -> list[tuple[int, Step, pd.DataFrame, float]]:
    """Return every window's step, the ranks of its cases, and what training before it took."""
    found: list[tuple[int, Step, pd.DataFrame, float]] = []
    model: RunReference | None = None
    for window in range(1, len(states)):
        step: Step = "full" if window == 1 else clock.step(window - 1)
        if step == "keep" and model is not None:
            found.append((window, step, _met(model, states[window]), 0.0))
            continue
        model, cpu_seconds = train(seed, window, step, model if step == "update" else None)
        ranks = load_evaluation(model.artifact("evaluation")).per_user
        found.append((window, step, ranks, cpu_seconds))
    return found


def _met(model: RunReference, data: PreparedData) -> pd.DataFrame:
    """Rank a later window's cases by a model as it was."""
    kept = load_frozen(model.artifact("model"), data.catalog)
    return evaluate(kept, data.test, data.catalog, data.train).per_user
