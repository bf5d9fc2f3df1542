"""The students beside everything that they must beat, in figures and in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recdistill import reporting
from recdistill.evaluation import p_words

if TYPE_CHECKING:
    from recdistill.experiment._trained import Trained
    from recdistill.reporting import Contrast
    from recdistill.runs import Run


def differences(run: Run, trained: Trained) -> dict[str, Contrast]:
    """Test the students' NDCG@10 over users and trainings; nothing where there is one student.

    The p-values are corrected for all of these tests together (Holm).

    They stand beside baseline, other networks, controls, and the floor that is best on the test
    users.
    """
    if len(trained.students) < 2:
        return {}
    beside = {"its baseline": trained.baselines}
    beside |= trained.beside
    beside |= {f"the control {name}": group for name, group in trained.controls.items()}
    if trained.floors:
        name, best = max(trained.floors.items(), key=lambda one: one[1].metrics["test/ndcg_at_10"])
        beside[f"the best floor, {name}"] = [best]
    students = [one.id for one in trained.students]
    found = [
        reporting.contrast_trainings(run, students, [one.id for one in group])["ndcg"]
        for group in beside.values()
    ]
    return dict(zip(beside, reporting.adjust_for_all(found), strict=True))


def words(other: str, found: Contrast) -> str:
    """Say whether the student is better, by how much, how surely."""
    said = f"The student {reporting.outcome_words(found, reporting.ALPHA)} {other}"
    interval = f"[{found.low:+.4f}, {found.high:+.4f}]"
    return f"{said:<74} {found.delta:+.4f} {interval}  {p_words(found.p_adjusted)}"


def as_plain(other: str, found: Contrast) -> dict[str, Any]:
    """Return what an experiment's record keeps of a difference; its p is not corrected."""
    figures = {name: getattr(found, name) for name in ("delta", "low", "high", "p")}
    counts = {"n_users": found.n_users, "n_trainings": list(found.n_seeds)}
    return {"against": other} | figures | counts
