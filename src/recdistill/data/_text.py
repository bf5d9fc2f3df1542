"""Texts of shops' catalogs as plain words: no markup, no entities, one space, a stated length."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 2_000
"""Characters of an item's description that are kept: some 400 words."""

# Bounded, so that no text makes the search quadratic.
_HIDDEN = re.compile(r"<(script|style)\b[^>]{0,500}>.{0,20000}?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,1000}>")
_GAP = re.compile(r"[\s\x00-\x1f\x7f]+")


def plain_text(text: str, longest: int = LONGEST) -> str:
    """Text without entities and tags, cut between words.

    Examples
    --------
    >>> plain_text("Soft &amp;amp; <b>warm</b><br/>4&frac12; inch")
    'Soft & warm 4½ inch'
    >>> plain_text("for 1 < 2 and <3", 10)
    'for 1 < 2'
    """
    text = text[: 20 * longest]
    for _ in range(2):  # shops escape twice
        text = html.unescape(text)
    text = _TAG.sub(" ", _HIDDEN.sub(" ", text))
    text = _GAP.sub(" ", text.encode("utf-8", "ignore").decode()).strip()
    if len(text) <= longest:
        return text
    cut = text[: longest + 1].rpartition(" ")[0]
    return cut or text[:longest]


def joined(value: object) -> str:
    """One text of a value that may be a list, of lists too, as categories are stored."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, dict):
        return joined(list(value.values()))
    if hasattr(value, "__iter__"):
        return ", ".join(filter(None, map(joined, value)))
    return str(value)


def described(frame: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Join the cleaned texts of each row in the order of ``columns``, without the empty ones."""
    rows = zip(*(frame[c].to_list() for c in columns), strict=True)
    texts = (". ".join(filter(None, (plain_text(joined(v)) for v in row))) for row in rows)
    return pd.Series([plain_text(text) for text in texts], index=frame.index, dtype="str")
