"""Sources -> interactions -> catalog -> split -> sequences."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.data._ancestry import ancestor_of_split
    from recdistill.data._catalog import Catalog
    from recdistill.data._config import DataConfig, SplitRule
    from recdistill.data._new_items import grow_catalog
    from recdistill.data._on_data import OnData, prepare_for
    from recdistill.data._prepare import prepare
    from recdistill.data._prepared import Cases, PreparedData
    from recdistill.data._readers import Reader
    from recdistill.data._reading_config import Cleaning, Columns, Reading
    from recdistill.data._sequences import Sequences
    from recdistill.data._split_config import ColdItems, Rolling, Temporal
    from recdistill.data._store import load_prepared
    from recdistill.data._strata import STRATA, strata, training_counts
    from recdistill.data._summary import read_leakage, summary
    from recdistill.data._times import as_read_by, with_times
    from recdistill.data._whole_histories import whole_histories

__all__ = [
    "STRATA",
    "Cases",
    "Catalog",
    "Cleaning",
    "ColdItems",
    "Columns",
    "DataConfig",
    "OnData",
    "PreparedData",
    "Reader",
    "Reading",
    "Rolling",
    "Sequences",
    "SplitRule",
    "Temporal",
    "ancestor_of_split",
    "as_read_by",
    "grow_catalog",
    "load_prepared",
    "prepare",
    "prepare_for",
    "read_leakage",
    "strata",
    "summary",
    "training_counts",
    "whole_histories",
    "with_times",
]

import_on_first_use(__name__)
