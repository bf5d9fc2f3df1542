"""The one exception for what a user can cause and mend, and the checks that raise it."""

from __future__ import annotations

from typing import get_args


class UserError(Exception):
    """One clear sentence: what is wrong, where, and what to do.

    A stage that ends in a ``UserError`` prints the sentence without a traceback, marks its run
    FAILED and exits with status 2. Anything else that escapes is a defect of ours and keeps its
    traceback.
    """


def require(condition: bool, sentence: str) -> None:
    """Raise :class:`UserError` with this sentence unless the condition holds."""
    if not condition:
        raise UserError(sentence)


def require_choice(name: str, value: str, choices: object) -> None:
    """Refuse a setting that is none of ``choices``: a ``Literal``, or the words themselves."""
    allowed = choices if isinstance(choices, (tuple, list)) else get_args(choices)
    require(value in allowed, f"{name} is {value!r}; it must be one of {', '.join(allowed)}.")


def require_least(name: str, value: float, least: float) -> None:
    """Refuse a setting below ``least``."""
    require(value >= least, f"{name} is {value}; it must be at least {least:g}.")
