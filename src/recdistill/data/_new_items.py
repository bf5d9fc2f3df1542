"""An item file whose new rows a catalog grows by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from recdistill.data._item_numbers import catalog_of
from recdistill.data._sources._files import read_bytes, read_items
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data._catalog import Catalog
    from recdistill.data._config import DataConfig


def grow_catalog(catalog: Catalog, path: Path, config: DataConfig) -> Catalog:
    """Append the items of a file that the catalog does not have; the others stay as they are.

    Parameters
    ----------
    catalog : Catalog
    path : an item file in any format that ``prepare_data`` reads
    config : DataConfig
        How it is read: ``columns``, ``reading``.

    Raises
    ------
    UserError
        When the file cannot be read, or has no item that is new.
    """
    listed, findings = read_items(path.name, read_bytes(path, "new_items"), config)
    known = set(catalog.items["raw_id"])
    new = [raw for raw in dict.fromkeys(listed["raw_id"].astype(str)) if raw not in known]
    if not new:
        raise UserError(
            f"All {len(listed)} items of {path} are in the catalog already: leave new_items empty."
        )
    described = catalog_of(pd.Index(new), listed, config, findings).items
    if "description" in catalog.items and "description" not in described:
        described = described.assign(description="")
    return catalog.grown(described[list(catalog.items.columns)])
