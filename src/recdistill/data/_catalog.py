"""The one place where item ids are assigned."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pandas as pd

from recdistill.errors import UserError

_WORDS = ("raw_id", "title", "text", "description")


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
    parent : str
        Digest of the catalog from which this one grew, "" where it grew from none. It is no part
        of the digest: the same items in the same order are the same catalog.
    n_parent_items : int
        Items of the parent: ids 1..n_parent_items mean what they meant there, later ids are new.
    """

    items: pd.DataFrame
    parent: str = ""
    n_parent_items: int = 0
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        index = self.items.index
        if list(index) != list(range(1, len(index) + 1)):
            raise ValueError("catalog ids must be 1..n in order")
        sha = hashlib.sha256()
        words = [c for c in _WORDS if c in self.items]
        for row in zip(index, *(self.items[c].to_list() for c in words), strict=True):
            sha.update(("\x1f".join(map(str, row)) + "\x1e").encode())
        object.__setattr__(self, "digest", sha.hexdigest()[:32])

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted."""
        return len(self.items)

    def grown(self, items: pd.DataFrame) -> Catalog:
        """Append items: the old ids and their words stay, the new ids are n_items + 1 and on.

        Parameters
        ----------
        items : DataFrame with this catalog's columns, whatever its index; may be empty.

        Raises
        ------
        ValueError
            When a raw id is there already or twice among the new ones, or the columns differ.
        """
        columns = list(self.items.columns)
        if sorted(items.columns) != sorted(columns):
            raise ValueError(f"the catalog has the columns {columns}, the new items others")
        whole = pd.concat([self.items, items[columns]], ignore_index=True)
        repeated = whole["raw_id"][whole["raw_id"].duplicated()]
        if len(repeated):
            raise ValueError(f"item {repeated.iloc[0]!r} has an id already")
        whole.index = pd.RangeIndex(1, len(whole) + 1, name="item")
        return Catalog(whole, self.digest, self.n_items)

    def first(self, n_items: int) -> Catalog:
        """Return the catalog that these first items are: an older state of a grown one."""
        if not 0 <= n_items <= self.n_items:
            raise ValueError(f"the catalog has {self.n_items} items, not {n_items}")
        return Catalog(self.items.iloc[:n_items])

    def grew_from(self, digest: str, n_items: int) -> bool:
        """Whether ids 1..n_items mean the items of the catalog with this digest.

        True of the same catalog, of the one that this grew from, and of every one before it: it
        is computed from the items, so it needs no record of the steps between.
        """
        return n_items <= self.n_items and self.first(n_items).digest == digest

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
