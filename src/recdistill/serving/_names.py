"""Items by the names that people and other systems have for them."""

from __future__ import annotations

import csv
import re
import reprlib
from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_SHOWN = 5
_WITH_YEAR = re.compile(r" \(\d{4}\)")


class ItemNames:
    """Raw ids and titles of a catalog, and the way from either to an item id.

    Parameters
    ----------
    raw_ids : unique; entry ``i`` belongs to item ``i + 1``
    titles : as shown; a title may belong to several items
    short_titles : titles without their year, accepted as well

    Attributes
    ----------
    raw_ids, titles : object arrays, shape [n_items + 1]
        Indexed by item id; entry 0 (padding) is empty.
    """

    def __init__(
        self, raw_ids: Iterable[str], titles: Iterable[str], short_titles: Iterable[str]
    ) -> None:
        self.raw_ids: NDArray[np.object_] = np.array(["", *raw_ids], object)
        self.titles: NDArray[np.object_] = np.array(["", *titles], object)
        self._ids = {raw: item for item, raw in enumerate(self.raw_ids) if item}
        self._by_title: dict[str, list[int]] = {}
        for item, (full, short) in enumerate(
            zip(self.titles[1:], short_titles, strict=True), start=1
        ):
            for title in {full.casefold(), short.casefold()}:
                self._by_title.setdefault(title, []).append(item)

    @classmethod
    def read(cls, path: Path) -> ItemNames:
        """Read the ``catalog.csv`` of prepared data.

        Where an item's text starts with its title and a year in brackets, as MovieLens' do, the
        year becomes part of the title shown: it tells remakes apart.
        """
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        titles = []
        for row in rows:
            title, rest = row["title"], row["text"].removeprefix(row["title"])
            year = _WITH_YEAR.match(rest)
            titles.append(title + year[0] if year and rest != row["text"] else title)
        return cls((row["raw_id"] for row in rows), titles, (row["title"] for row in rows))

    @property
    def n_items(self) -> int:
        """Number of items, padding not counted."""
        return len(self.raw_ids) - 1

    def named(self, title: str) -> list[int]:
        """Return the ids of the items of this title; letter case does not matter."""
        return self._by_title.get(title.casefold(), [])

    def find(self, name: Any) -> int:
        """Return the item of a raw id or an unambiguous title; 0 where there is none."""
        item = self._ids.get(name) if isinstance(name, str) else None
        return self._resolve_other(name, []) if item is None else item

    def resolve(self, names: Iterable[Any], where: str) -> list[int]:
        """Turn raw ids (text or whole numbers) and titles into item ids; raw ids come first.

        Raises
        ------
        UserError
            Naming every name that belongs to no item or to several.
        """
        ids = self._ids
        found = []
        wrong: list[str] = []
        for name in names:
            # The fast way first: a batch of requests holds a hundred thousand names.
            item = ids.get(name) if isinstance(name, str) else None
            if item is None:
                item = self._resolve_other(name, wrong)
            found.append(item)
        if wrong:
            more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            raise UserError(f"{where}: {'; '.join(wrong[:_SHOWN])}{more}.")
        return found

    def _resolve_other(self, name: Any, wrong: list[str]) -> int:
        if isinstance(name, int) and not isinstance(name, bool) and str(name) in self._ids:
            return self._ids[str(name)]
        named = self.named(name) if isinstance(name, str) else []
        if len(named) == 1:
            return named[0]
        shown = reprlib.repr(name)  # a request may hold a name of any length
        if named:
            choices = ", ".join(f"{self.raw_ids[i]!r} ({self.titles[i]})" for i in named[:_SHOWN])
            wrong.append(f"{shown} is the title of {len(named)} items, use a raw id: {choices}")
        else:
            wrong.append(f"{shown} is neither a raw id nor a title of the catalog")
        return 0
