"""What a student is told of the time, and what it is refused for; read without torch."""

from __future__ import annotations

from typing import Literal

from recdistill.errors import UserError

QueryTime = Literal["none", "last", "known"]


def without_times(query_time: QueryTime) -> UserError:
    """Say that a student was asked without the times that it reads."""
    missing = "the time of the target" if query_time == "known" else "the times of the items"
    return UserError(
        f"This student was trained with student.query_time={query_time} and is asked without "
        f"{missing}: evaluate it on data with times (recdistill.data.with_times), or train one "
        "with student.query_time=none."
    )


def require_no_times(query_time: str, name: str, use: str) -> None:
    """Refuse a student that reads times where nothing can give them.

    Parameters
    ----------
    query_time : str
        The student's.
    name : str
        By which the sentence calls it.
    use : str
        What it was to be, as in "a teacher".

    Raises
    ------
    UserError
        When ``query_time`` is not "none".
    """
    if query_time != "none":
        raise UserError(
            f"{name} was trained with student.query_time={query_time} and cannot be {use}: "
            "nothing would tell it the time, so name one with student.query_time=none."
        )
