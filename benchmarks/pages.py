"""Blocks of the documentation that are made from committed result files, between marks.

    python -m benchmarks.tables      # or: make tables

A page holds ``<!-- name -->`` and ``<!-- /name -->``; what stands between is a block's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


def p_of(value: float) -> str:
    """Write a p-value as in "p = .03" without its first letter."""
    return "< .0001" if value < 1e-4 else f"= {value:.4f}".replace("= 0.", "= .")


@dataclass(frozen=True)
class Block:
    """What a page must say at a mark.

    Attributes
    ----------
    page : str
        Path from the repository's root.
    mark : str
    text : str
    """

    page: str
    mark: str
    text: str

    def shown(self) -> str:
        """Return what the page says now.

        Raises
        ------
        ValueError
            When the page lacks the marks.
        """
        return self._cut()[1].strip("\n")

    def write(self) -> bool:
        """Put the text onto the page; return whether that changed it."""
        before, old, after = self._cut()
        new = f"\n{self.text}\n"
        if new != old:
            (ROOT / self.page).write_text(f"{before}{new}{after}", encoding="utf-8")
        return new != old

    def _cut(self) -> tuple[str, str, str]:
        text = (ROOT / self.page).read_text(encoding="utf-8")
        begin, end = f"<!-- {self.mark} -->", f"<!-- /{self.mark} -->"
        if begin not in text or end not in text:
            raise ValueError(f"{self.page} lacks {begin} or {end}")
        before, _, rest = text.partition(begin)
        inside, _, after = rest.partition(end)
        return before + begin, inside, end + after


def table(head: list[str], rows: list[list[str]]) -> str:
    """Write a Markdown table; empty cells take one space."""
    lines = [f"| {' | '.join(line)} |".replace("  |", " |") for line in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])
