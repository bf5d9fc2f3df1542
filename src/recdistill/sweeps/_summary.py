"""A sweep on one page: the table of its trials, and what they say, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import optuna
import pandas as pd
from optuna.trial import TrialState

from recdistill.sweeps._mirror import difference
from recdistill.sweeps._queue import ERROR, POINT, RETRY_OF, SECONDS, score, state_of, tally

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import StudySpec

_TOP = 5


def best_trial(study: Study) -> FrozenTrial | None:
    """Return the completed trial with the highest metric; with several objectives, likewise."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(done, key=lambda trial: (score(trial), -trial.number), default=None)


def trial_table(study: Study, spec: StudySpec, space: Space) -> pd.DataFrame:
    """Return one row per trial that began, best first, then those without a result.

    Columns: ``trial``, ``state``, the objectives, the differences to baseline and teacher on
    validation, the knobs, the seconds, and what went wrong.
    """
    rows = []
    for trial in study.get_trials(deepcopy=False):
        state = state_of(trial)
        if state in ("waiting", "unwanted"):
            continue
        row: dict[str, Any] = {"trial": trial.number, "state": state}
        result = trial.values or []  # noqa: PD011
        row |= dict(zip(spec.objectives, result, strict=False))
        for whom, known in spec.references.items():
            if result and spec.metric in known:
                row[f"vs_{whom}"] = difference(score(trial), known[spec.metric])
        row |= space.values(trial.params)
        row["point"] = trial.user_attrs.get(POINT, "")
        row["epochs"] = trial.last_step or 0
        row["cpu_seconds"] = trial.user_attrs.get(SECONDS, 0.0)
        row["retry_of"] = trial.user_attrs.get(RETRY_OF, "")
        row["error"] = trial.user_attrs.get(ERROR, "")
        rows.append(row)
    table = pd.DataFrame(rows)
    if spec.metric in table:
        table = table.sort_values(spec.metric, ascending=False, kind="stable")
    useful = [name for name in table if (table[name].notna() & (table[name] != "")).any()]
    return table[useful].reset_index(drop=True)


def evaluator() -> optuna.importance.FanovaImportanceEvaluator:
    """Return the importance evaluator, seeded so that card, page and pictures agree."""
    return optuna.importance.FanovaImportanceEvaluator(seed=0)


def importances(study: Study) -> dict[str, float]:
    """Return how much of the metric's variation each knob explains, largest first.

    Empty as long as fewer than four trials are complete, or they all score the same.
    """
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < 4 or len({score(trial) for trial in done}) < 2:
        return {}
    try:
        return dict(
            optuna.importance.get_param_importances(study, evaluator=evaluator(), target=score)
        )
    except (ValueError, RuntimeError):  # no knob that all trials share
        return {}


def card(study: Study, spec: StudySpec, space: Space, *, storage: str) -> str:
    """Write the Markdown card of the sweep's run."""
    counts, best = tally(study), best_trial(study)
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()) if n)
    lines = [
        f"**Study** `{study.study_name}` in `{storage}`: {spec.stage} on {spec.dataset}, "
        f"{spec.sampler} sampler, {spec.pruner} pruner. Trials: {states}.",
    ]
    if best is None:
        return "\n\n".join([*lines, "No trial is complete yet."])
    lines.append(_verdict(study, spec, space, best))
    found = importances(study)
    if found:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in list(found.items())[:6])
        lines.append(f"**What mattered** (share of the metric's variation): {shares}.")
    lines.append(_markdown(trial_table(study, spec, space).head(_TOP), spec))
    lines.append(
        "All trials: artifacts `trials.json` and `trials.csv`; plots: `sweep.html` and `plots/`. "
        "What is said of trials is on validation data."
    )
    return "\n\n".join(lines)


def _verdict(study: Study, spec: StudySpec, space: Space, best: FrozenTrial) -> str:
    value = score(best)
    knobs = ", ".join(f"{name}={_said(v)}" for name, v in space.values(best.params).items())
    words = [f"**Best** trial {best.number}: {spec.metric} {value:.4f} ({knobs})."]
    for whom, known in spec.references.items():
        if spec.metric in known:
            words.append(f"{value - known[spec.metric]:+.4f} against the {whom}'s run.")
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        name = trial.user_attrs.get(POINT)
        if name and trial.number != best.number:
            words.append(f"{value - score(trial):+.4f} against '{name}' (trial {trial.number}).")
    if POINT in best.user_attrs:
        words.append(f"No sampled trial beats the known point '{best.user_attrs[POINT]}'.")
    if len(spec.objectives) > 1:
        front = ", ".join(str(trial.number) for trial in study.best_trials)
        words.append(f"Trials that no other beats in both metric and cost: {front}.")
    return " ".join(words)


def _markdown(table: pd.DataFrame, spec: StudySpec) -> str:
    hidden = {"epochs", "retry_of", "error", "point"}
    shown = [name for name in table if name not in hidden]
    head = [str(n).replace("val/", "").replace("_at_10", "@10") for n in shown]
    rows = [[_said(value) for value in row] for row in table[shown].itertuples(index=False)]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _said(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else f"{value:.4g}"
    return str(value)
