"""The one place where item ids are assigned."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Catalog:
    """Items with contiguous ids 1..n; 0 is padding and nothing else.

    Attributes
    ----------
    items : DataFrame
        Indexed by the item id 1..n (index name ``item``), with the string columns ``raw_id``
        (unique), ``title`` and ``text`` (what a language model reads; falls back to the title), and
        where text columns were asked for ``description`` (their words, plain, "" where unknown).
    digest : str
        First 32 hex digits of a sha256 over ids and all these words. Every checkpoint,
        teacher table and served model carries it and every loader refuses another one.
    """

    items: pd.DataFrame
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        index = self.items.index
        if list(index) != list(range(1, len(index) + 1)):
            raise ValueError("catalog ids must be 1..n in order")
        sha = hashlib.sha256()
        words = [c for c in ("raw_id", "title", "text", "description") if c in self.items]
        for row in zip(index, *(self.items[c].to_list() for c in words), strict=True):
            sha.update(("\x1f".join(map(str, row)) + "\x1e").encode())
        object.__setattr__(self, "digest", sha.hexdigest()[:32])

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted."""
        return len(self.items)

    @property
    def full_texts(self) -> list[str]:
        """All words that are known of items 1..n, in order: text, then description."""
        texts: list[str] = self.items["text"].to_list()
        if "description" not in self.items:
            return texts
        both = zip(texts, self.items["description"], strict=True)
        return [f"{text}. {more}" if more else text for text, more in both]

    def require(self, digest: str, what: str) -> None:
        """Refuse ``what`` unless it was made for this catalog.

        Raises
        ------
        UserError
            Naming both digests.
        """
        if digest != self.digest:
            raise UserError(
                f"{what} was made for catalog {digest[:12]} but the data at hand has catalog "
                f"{self.digest[:12]}: its item ids mean other items. Use the data it was made "
                "with, or make it again on this data."
            )
