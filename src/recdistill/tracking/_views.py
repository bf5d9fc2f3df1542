"""Addresses in the MLflow UI that open what people want to see, with readable columns.

The UI hides every metric and parameter column by default, and an address alone cannot show them.
It does honour views that somebody shared: the state of the table, kept as a tag of the experiment
and named in the address. We write that tag. The format is the UI's own and not a documented API,
so it belongs to the pinned version of MLflow; a browser test watches it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

_SHARED_VIEW = "mlflow.sharedViewState."
_LONG_NAME_WIDTH = 240  # pixels; the UI's own width cuts run names at some twenty characters
_CHARACTER_WIDTH, _HEADER_MARGIN = 8, 70


@dataclass(frozen=True)
class View:
    """A saved state of the run table.

    Attributes
    ----------
    name : letters, digits and dashes; part of the address.
    metrics, params, tags : the columns, in the order in which they stand.
    search : filter in the language of ``search_runs``; empty shows every run.
    order_by : column sorted by, best first, as ``metrics.test/ndcg_at_10``; empty is newest first.
    """

    name: str
    metrics: Sequence[str] = ()
    params: Sequence[str] = ()
    tags: Sequence[str] = ()
    search: str = ""
    order_by: str = ""
    ascending: bool = False
    _columns: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        columns = [f"tags.`{name}`" for name in self.tags]
        columns += [f"metrics.`{name}`" for name in self.metrics]
        columns += [f"params.`{name}`" for name in self.params]
        object.__setattr__(self, "_columns", columns)
