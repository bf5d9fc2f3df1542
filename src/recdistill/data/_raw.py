"""What a reader hands over: rows as they stand in the file, with what was odd about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

Clock = Literal["", "number", "s", "ms", "us", "ns"]
"""What ``order`` counts: nothing (the file's order), the file's own numbers, or a unit of time."""

N_SHOWN = 5
N_CHARACTERS = 80


@dataclass(frozen=True)
class Finding:
    """Something odd in the data, and what the stated rule did about it.

    Attributes
    ----------
    name : str
        Snake-case; the count becomes the metric ``data/n_dropped_<name>`` where rows were dropped.
    count : int
    action : "dropped", "kept" or "repaired"
    sentence : str
        Says it in plain words, with the first few line numbers or ids.
    """

    name: str
    count: int
    action: str
    sentence: str


@dataclass(frozen=True)
class RawData:
    """Interactions and items as read, before ids, filters and splits.

    Attributes
    ----------
    interactions : DataFrame
        ``user``, ``item`` (text or whole numbers), ``order`` (number; non-decreasing means later),
        ``line`` (in its file), optionally ``rating`` and ``part`` (0 train, 1 val, 2 test).
    items : DataFrame or None
        ``raw_id``, ``title``, optionally ``year``, ``genres``, all text, and ``line``.
    has_timestamps : bool
        Whether ``order`` is a clock that all users share.
    order_rule : str
        Where the order comes from and how ties are broken, for the manifest.
    origin : dict
        Where the files came from, with their sha256.
    clock : Clock
        What ``order`` counts, where it is a clock.
    """

    interactions: pd.DataFrame
    items: pd.DataFrame | None
    has_timestamps: bool
    order_rule: str
    origin: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)
    clock: Clock = "number"


def first_few(values: Sequence[object], n: int = N_SHOWN) -> str:
    """``[3, 5, 9, ...]`` as ``3, 5, 9, ...``, cut after a few, each cut to a line's length."""
    shown = ", ".join(shortened(str(v)) for v in values[:n])
    return shown + (", ..." if len(values) > n else "")


def shortened(text: str) -> str:
    """Cut a long id or name for a message, on one line whatever characters it holds."""
    text = "".join(c if c.isprintable() else "?" for c in text[: N_CHARACTERS + 1])
    return text if len(text) <= N_CHARACTERS else f"{text[: N_CHARACTERS - 3]}..."


def settle_malformed(
    path: str, problems: Sequence[tuple[int, str]], treatment: str
) -> list[Finding]:
    """Refuse a file with malformed rows, or say that they were dropped.

    Raises
    ------
    UserError
        When ``treatment`` is "refuse" and there are any.
    """
    if not problems:
        return []
    problems = sorted(problems)
    shown = "; ".join(f"line {line}: {what}" for line, what in problems[:N_SHOWN])
    more = len(problems) - N_SHOWN
    rows = "malformed row" if len(problems) == 1 else "malformed rows"
    detail = f"{path} has {len(problems)} {rows} ({shown}{f'; and {more} more' * (more > 0)})"
    if treatment == "refuse":
        raise UserError(f"{detail}: mend the file, or set cleaning.malformed=drop to drop them.")
    return [Finding("malformed", len(problems), "dropped", f"{detail}: dropped.")]
