"""Catalog ids of raw items, and the words of each: how a catalog is made, and how it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._catalog import Catalog
from recdistill.data._raw import Finding, first_few
from recdistill.data._titles import text_of
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig


def number_items(
    ids: pd.Index,
    kept: NDArray[np.bool_],
    known: Catalog | None,
    items: pd.DataFrame | None,
    config: DataConfig,
    findings: list[Finding],
) -> tuple[NDArray[np.int32], Catalog]:
    """Give every raw item its catalog id: those that are known theirs, the others the next ones.

    Returns
    -------
    number : int32 array, shape [n_raw_items], of no meaning where ``kept`` is false
    catalog : Catalog
    """
    number = np.zeros(len(ids), np.int32)
    if known is not None:
        number = pd.Index(known.items["raw_id"]).get_indexer(ids.astype("str")).astype(np.int32) + 1
    fresh = kept & (number == 0)
    n_known = known.n_items if known else 0
    number[fresh] = n_known + 1 + np.arange(int(fresh.sum()), dtype=np.int32)
    if known is None:
        return number, catalog_of(ids[fresh], items, config, findings)
    if not fresh.any():
        return number, known.grown(known.items.iloc[:0])
    return number, known.grown(catalog_of(ids[fresh], items, config, findings).items)


def catalog_of(
    ids: pd.Index, items: pd.DataFrame | None, config: DataConfig, findings: list[Finding]
) -> Catalog:
    """Give items their ids 1..n and their words."""
    frame = pd.DataFrame({"raw_id": [str(i) for i in ids]})
    if items is None and config.columns.text:
        raise UserError(
            f"columns.text asks for {first_few(config.columns.text)} of the items, and there is no "
            "item file: name one with reading.items_file, or leave columns.text empty."
        )
    if items is None:
        frame["title"] = frame["text"] = "Item " + frame["raw_id"]
        sentence = f"No item file: the {len(frame)} items are titled 'Item <id>'."
        findings.append(Finding("untitled_items", len(frame), "kept", sentence))
    else:
        found = (
            items.drop(columns="line", errors="ignore").set_index("raw_id").reindex(frame["raw_id"])
        )
        listed = found["title"].notna().to_numpy()
        found = found.fillna("")
        untitled = (found["title"] == "").to_numpy()
        empty = listed & untitled
        if empty.any():
            sentence = (
                f"{int(empty.sum())} items have an empty title (items "
                f"{first_few(list(frame['raw_id'][empty]))}): kept, titled 'Item <id>'."
            )
            findings.append(Finding("untitled_items", int(empty.sum()), "kept", sentence))
        found["title"] = found["title"].where(~untitled, "Item " + found.index.astype("str"))
        frame["title"] = found["title"].to_numpy(object)
        frame["text"] = text_of(found).to_numpy(object)
        if "description" in found:
            frame["description"] = found["description"].to_numpy(object)
        _twins(found, findings)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="item")
    return Catalog(frame)


def _twins(found: pd.DataFrame, findings: list[Finding]) -> None:
    """Report items that share title and year: to a reader of titles they are one item."""
    keys = ["title", "year"] if "year" in found else ["title"]
    groups = found.reset_index()[found.duplicated(keys, keep=False).to_numpy()].groupby(keys)
    if not groups.ngroups:
        return
    shown = [f"{'/'.join(g['raw_id'])} {g['title'].iloc[0]}" for _, g in groups]
    sentence = (
        f"{groups.ngroups} titles are listed under more than one item id ({first_few(shown)}): "
        "kept as separate items, which a model that writes titles cannot tell apart."
    )
    findings.append(Finding("title_twins", groups.ngroups, "kept", sentence))
