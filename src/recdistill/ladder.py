"""The ladder of a diagnosis: trainings that differ from one that is sound in one thing each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recdistill import distillation, evaluation, reporting, runs
from recdistill.errors import UserError
from recdistill.lessons import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from recdistill.lessons import Sources
    from recdistill.reporting import Rung
    from recdistill.runs import Run

_OFF = {"ranking_weight": 0, "listwise_weight": 0, "fusion_weight": 0, "dros_weight": 0}
_LISTWISE = _OFF | {"listwise_weight": 1.0}
_RANKING = _OFF | {"ranking_weight": 0.5}


@dataclass(frozen=True)
class RungPlan:
    """What one rung is.

    Attributes
    ----------
    against : str
        The rung that it differs from in one thing, or ``baseline``.
    settings : dict
        Of ``distill``.
    what : str
        The one thing, in words.
    """

    against: str
    settings: dict[str, Any]
    what: str


LADDER: dict[str, RungPlan] = {
    "zero": RungPlan("baseline", _OFF, "all weights at zero: must be the baseline"),
    "listwise": RungPlan("baseline", _LISTWISE, "the listwise term alone"),
    "ranking": RungPlan("baseline", _RANKING, "the ranking term alone"),
    "dros": RungPlan("baseline", _OFF | {"dros_weight": 0.1}, "the DROS term alone"),
    "fusion": RungPlan(
        "baseline", _OFF | {"fusion_weight": 0.2}, "the teacher's item vectors alone"
    ),
    "no_lists": RungPlan("baseline", _OFF | {"control": "no_lists"}, CONTROLS["no_lists"]),
    **{
        name: RungPlan("listwise", _LISTWISE | {"control": name}, what)
        for name, what in CONTROLS.items()
        if name != "no_lists"
    },
    **{
        name: RungPlan(against, _RANKING if against == "ranking" else _LISTWISE, what)
        for against, names in {
            "ranking": ("positives_only", "inverted_confidence"),
            "listwise": ("embedding_mse", "coupled_l2", "padding_index"),
        }.items()
        for name, what in distillation.MISTAKES.items()
        if name in names
    },
}
"""Every rung by its name, from the bottom up."""


def rungs_named(asked: str) -> list[str]:
    """Name the rungs to run, with the sound one that each mistake is measured against.

    Parameters
    ----------
    asked : str
        ``all``, ``none``, or names with commas between.

    Raises
    ------
    UserError
        For a name that is no rung.
    """
    if asked in ("all", "none"):
        return list(LADDER) if asked == "all" else []
    names = [name.strip() for name in asked.split(",")]
    if unknown := [name for name in names if name not in LADDER]:
        raise UserError(
            f"The ladder has no rung {unknown[0]!r}: take all, none, or some of "
            f"{', '.join(LADDER)}."
        )
    return [n for n in LADDER if n in names or n in {LADDER[name].against for name in names}]


def climb(
    run: Run,
    rungs: list[str],
    sources: Sources,
    shared: Mapping[str, Any],
    baseline_users: pd.DataFrame,
    say: Callable[[str], None],
) -> list[Rung]:
    """Train every rung as a child of ``run`` and measure the one thing in which it differs.

    Parameters
    ----------
    run : Run
    rungs : list of str
        See :func:`rungs_named`.
    sources : Sources
        What the students learn from.
    shared : mapping
        Settings of every rung.
    baseline_users : DataFrame
        The baseline's evaluation per user.
    say : callable
        Is told of a rung that is left out, and why.
    """
    users, found = {"baseline": baseline_users}, []
    for name in rungs:
        if not _has_what_it_needs(name, sources):
            continue
        plan = LADDER[name]
        mistake = name if name in distillation.MISTAKES else "none"
        try:
            child = runs.launch(
                run, "ladder", {**shared, **plan.settings, "rung": name, "mistake": mistake}
            )
        except UserError as error:
            # Floors have no item vectors; the other rungs still tell their story.
            if name != "fusion":
                raise
            say(f"without the rung fusion: {error}")
            continue
        users[name] = evaluation.load_evaluation(child.artifact("evaluation")).per_user
        effect = evaluation.compare_paired([users[name]], [users[plan.against]], metric="ndcg")
        found.append(reporting.Rung(name, plan.what, plan.against, effect, child.id))
    return found


def _has_what_it_needs(name: str, sources: Sources) -> bool:
    """Without views of the histories ``no_lists`` is the baseline; ``fusion`` takes vectors."""
    if name == "no_lists":
        return sources.transfer is not None
    if name == "fusion":
        return any(t.metrics.get("table/has_item_embeddings", 1.0) for t in sources.tables)
    return True
