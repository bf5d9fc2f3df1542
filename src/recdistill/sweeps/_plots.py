"""Four pictures of a sweep: its history, what mattered, each knob alone, all knobs together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from optuna.trial import TrialState

from recdistill.sweeps._queue import POINT, score
from recdistill.sweeps._summary import importances

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from optuna import Study
    from optuna.trial import FrozenTrial

    from recdistill.sweeps._space import Knob, Space
    from recdistill.sweeps._study import StudySpec

_BLUE, _GREY, _ORANGE, _GREEN = "#2563a8", "#8a929c", "#d1661b", "#3c8a4e"
_MAP = colormaps["viridis_r"]


def draw(study: Study, spec: StudySpec, space: Space, folder: Path) -> list[Path]:
    """Write the pictures that the trials so far allow, as PNG; return their paths."""
    trials = [t for t in study.get_trials(deepcopy=False) if t.values or t.intermediate_values]
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    if not done:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"history": history(trials, spec), "slices": slices(done, spec, space)}
    if found := importances(study):
        figures["importances"] = bars(found, spec)
    if len(done) > 1:
        figures["parallel_coordinates"] = parallel(done, spec, space)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=110)
    return paths


def history(trials: Sequence[FrozenTrial], spec: StudySpec) -> Figure:
    """Draw every trial's metric in the order of the trials, and the best so far."""
    figure, axes = _figure(8, 4)
    for state, colour, face in (
        (TrialState.COMPLETE, _BLUE, _BLUE),
        (TrialState.PRUNED, _GREY, "none"),
    ):
        some = [t for t in trials if t.state is state and t.values]
        label = state.name.lower()
        numbers, values = [t.number for t in some], [score(t) for t in some]
        axes.scatter(numbers, values, s=26, edgecolors=colour, facecolors=face, label=label)
    done = [t for t in trials if t.state is TrialState.COMPLETE]
    best = np.maximum.accumulate([score(t) for t in done])
    axes.step([t.number for t in done], best, where="post", color=_BLUE, lw=1, label="best so far")
    for (whom, known), colour in zip(spec.references.items(), (_ORANGE, _GREEN), strict=False):
        if spec.metric in known:
            axes.axhline(known[spec.metric], color=colour, ls="--", lw=1, label=f"{whom}'s run")
    for trial in done:
        if POINT in trial.user_attrs:
            at = (trial.number, score(trial))
            axes.annotate(trial.user_attrs[POINT], at, (6, 4), textcoords="offset points", size=8)
    axes.set_xlabel("trial")
    axes.set_ylabel(_metric_words(spec))
    axes.legend(fontsize=8, frameon=False)
    return figure


def bars(found: dict[str, float], spec: StudySpec) -> Figure:
    """Draw the share of the metric's variation that each knob explains."""
    names = list(found)[::-1]
    figure, axes = _figure(7, 0.9 + 0.35 * len(names))
    axes.barh(names, [found[name] for name in names], color=_BLUE, height=0.6)
    for i, name in enumerate(names):
        axes.annotate(f"{found[name]:.0%}", (found[name], i), (4, -3), textcoords="offset points")
    axes.set_xlim(0, 1.12 * max(found.values()))
    axes.set_xlabel(f"share of the variation of {_metric_words(spec)}")
    return figure


def slices(done: Sequence[FrozenTrial], spec: StudySpec, space: Space) -> Figure:
    """Draw the metric against each knob, later trials darker."""
    knobs = list(space.knobs.values())
    n_columns = min(4, len(knobs))
    n_rows = -(-len(knobs) // n_columns)
    figure = Figure(figsize=(2.9 * n_columns, 2.6 * n_rows), layout="constrained")
    for at, knob in enumerate(knobs):
        axes = figure.add_subplot(n_rows, n_columns, at + 1)
        _plain(axes)
        pairs = [(_place(knob, space.values(t.params).get(knob.name)), t) for t in done]
        asked = [(x, t) for x, t in pairs if x is not None]
        shades = [0.1 + 0.8 * t.number / max(1, done[-1].number) for _, t in asked]
        colours = _MAP(shades)
        axes.scatter([x for x, _ in asked], [score(t) for _, t in asked], s=18, c=colours)
        axes.set_xlabel(knob.name, size=9)
        _ticks(axes.xaxis, knob)
        if at % n_columns == 0:
            axes.set_ylabel(_metric_words(spec), size=9)
    return figure


def parallel(done: Sequence[FrozenTrial], spec: StudySpec, space: Space) -> Figure:
    """Draw each trial as a line through all knobs to its metric, the best ones on top."""
    knobs = list(space.knobs.values())
    figure, axes = _figure(max(7.0, 1.3 * (len(knobs) + 1)), 4.2)
    values = np.array([score(t) for t in done])
    spread = float(np.ptp(values)) or 1.0
    for at in np.argsort(values):
        share = float(values[at] - values.min()) / spread
        own = space.values(done[at].params)
        places = [_share(knob, own.get(knob.name)) for knob in knobs]
        axes.plot([*places, share], color=_MAP(share), lw=0.7 + 1.6 * share**3, alpha=0.85)
    axes.set_xticks(range(len(knobs) + 1))
    names = [knob.name.replace("_", "_\n", 1) for knob in knobs]
    axes.set_xticklabels([*names, _metric_words(spec).replace(" ", "\n")], size=8)
    axes.set_yticks([])
    axes.set_ylim(-0.08, 1.08)
    for at, knob in enumerate(knobs):
        low, high = _ends(knob)
        axes.annotate(low, (at, 0), (0, -14), textcoords="offset points", size=7, ha="center")
        axes.annotate(high, (at, 1), (0, 6), textcoords="offset points", size=7, ha="center")
        axes.axvline(at, color="#d5d9de", lw=0.8, zorder=0)
    for y, value in ((0, values.min()), (1, values.max())):
        shift = 6 if y else -14
        axes.annotate(
            f"{value:.4f}", (len(knobs), y), (0, shift), textcoords="offset points", size=7,
            ha="center",
        )  # fmt: skip
    return figure


def _place(knob: Knob, value: Any) -> float | None:
    """Where a value stands on a knob's axis; 0 of a range by ratio stands one step left of it."""
    if value is None:
        return None
    if knob.choices:
        return float(knob.choices.index(value))
    if not knob.log:
        return float(value)
    return float(np.log10(value if value > 0 else knob.low / (knob.high / knob.low) ** 0.15))


def _share(knob: Knob, value: Any) -> float:
    """Where a value stands between the ends of its axis; nan where the knob was not asked for."""
    place = _place(knob, value)
    if place is None:
        return float("nan")
    if knob.choices:
        return place / max(1, len(knob.choices) - 1)
    low, high = (_place(knob, end) for end in (0 if knob.zero else knob.low, knob.high))
    return (place - (low or 0.0)) / (((high or 0.0) - (low or 0.0)) or 1.0)


def _ends(knob: Knob) -> tuple[str, str]:
    if knob.choices:
        return str(knob.choices[0]), str(knob.choices[-1])
    return ("0" if knob.zero else f"{knob.low:g}"), f"{knob.high:g}"


def _ticks(axis: Any, knob: Knob) -> None:
    if knob.choices:
        axis.set_ticks(range(len(knob.choices)), [str(choice) for choice in knob.choices], size=8)
    elif knob.log:
        ends = [*([0.0] if knob.zero else []), knob.low, (knob.low * knob.high) ** 0.5, knob.high]
        axis.set_ticks([_place(knob, end) for end in ends], [f"{end:.2g}" for end in ends], size=8)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def _metric_words(spec: StudySpec) -> str:
    return spec.metric.replace("val/", "validation ").replace("_at_", "@")
