"""By which protocol a model is evaluated, and why two of them give no comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recdistill.data import Cases, Sequences
    from recdistill.evaluation._recommender import Recommender

PROTOCOL = "full ranking, ties by expectation, v1"
KNOWN_TIME = f"{PROTOCOL}, told when the target happens"


def query_time_of(model: object) -> str:
    """Return what a model is told of the time: "none" of what says nothing of it."""
    return str(getattr(model, "query_time", "none"))


def protocol_of(model: object) -> str:
    """Name the protocol; that of a model which is told its targets' times is one of its own."""
    return KNOWN_TIME if query_time_of(model) == "known" else PROTOCOL


def histories_for(model: Recommender, cases: Cases, rows: NDArray[np.integer]) -> Sequences:
    """Return some cases' histories, with the targets' times for a model that is told them only.

    Raises
    ------
    UserError
        When it is told them and the cases have none.
    """
    histories = cases.history.take(rows)
    if query_time_of(model) != "known":
        return histories
    if cases.target_times is None:
        raise UserError(
            "The model was trained with student.query_time=known and these cases do not say when "
            "their targets happen: evaluate it on data with times (recdistill.data.with_times)."
        )
    return histories.asked(cases.target_times[rows])


def protocols_differ(one: str, other: str) -> str:
    """Say in words why what was measured by two different protocols is not compared."""
    if (one == KNOWN_TIME) != (other == KNOWN_TIME):
        return (
            "one was told when each target happens (student.query_time=known) and the other was "
            "not, which is another task"
        )
    return f"the evaluation protocol differs ('{one}' and '{other}')"
