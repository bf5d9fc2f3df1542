"""Catalogue titles as a person, and a language model, would write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from re import Match

_ARTICLES = (
    "The|A|An|La|Le|Les|L'|Un|Une|Il|Lo|Gli|El|Los|Las|Der|Die|Das|Ein|Eine|Det|Den|En|De|O|Os|As"
)
_TRAILING = re.compile(rf"^(?P<rest>.+), (?P<article>{_ARTICLES})$")
_BRACKETS = re.compile(r"\(([^()]*)\)")
_YEAR_AT_END = re.compile(r"\s*\((\d{4})\)\s*$")


def _article_first(title: str) -> str:
    match = _TRAILING.match(title.strip())
    if match is None:
        return title.strip()
    article, rest = match["article"], match["rest"]
    return f"{article}{rest}" if article.endswith("'") else f"{article} {rest}"


def readable_title(title: str) -> str:
    """Move trailing articles to the front, inside brackets too.

    Examples
    --------
    >>> readable_title("Usual Suspects, The")
    'The Usual Suspects'
    >>> readable_title("Tin Drum, The (Blechtrommel, Die)")
    'The Tin Drum (Die Blechtrommel)'
    >>> readable_title("Girl, Interrupted")
    'Girl, Interrupted'
    """

    def inside(match: Match[str]) -> str:
        return f"({_article_first(match[1])})"

    head, bracket, tail = title.partition(" (")
    return _article_first(head) + _BRACKETS.sub(inside, bracket + tail).rstrip()


def readable_items(items: pd.DataFrame) -> pd.DataFrame:
    """Tidy ``title`` and ``year`` of MovieLens items.

    A year in brackets at the end of the title moves to ``year`` unless that already holds one,
    articles move to the front, and MovieLens' misspelt "unkonwn" becomes "unknown".
    """
    out = items.copy()
    in_title = out["title"].str.extract(_YEAR_AT_END, expand=False)
    year = out["year"] if "year" in out else pd.Series("", index=out.index)
    year = year.where(year.str.fullmatch(r"\d{4}"), in_title.fillna(""))
    out["year"] = year.fillna("")
    stripped = out["title"].str.replace(_YEAR_AT_END, "", regex=True)
    out["title"] = [readable_title(t) for t in stripped.replace("unkonwn", "unknown")]
    return out


def text_of(items: pd.DataFrame) -> pd.Series:
    """``Title (year), genre, genre``, leaving out what is not known."""
    text = items["title"].astype("str")
    if "year" in items:
        text = text + items["year"].where(items["year"] == "", " (" + items["year"] + ")")
    if "genres" in items:
        genres = items["genres"].replace("unknown", "")
        text = text + genres.where(genres == "", ", " + genres)
    return text
