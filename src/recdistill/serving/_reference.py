"""What traffic a packaged student expects: written beside it when it is promoted, for ``watch``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import training_counts
from recdistill.errors import UserError
from recdistill.serving._in_catalog import InCatalog
from recdistill.serving._top_k import TopK
from recdistill.serving._traffic import Traffic, expected_traffic

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData

_FILE = "expected_traffic.json"


@dataclass(frozen=True)
class Reference:
    """The expected traffic, and the raw ids of items without an interaction in training."""

    expected: Traffic
    untrained: frozenset[str]


def write_reference(student: Path, data: PreparedData) -> None:
    """Ask a gathered student the test histories of its data and keep the counts beside it."""
    top_k = TopK.read(student)
    histories = InCatalog(top_k, data.catalog).translated(data.test.history)
    counts = training_counts(data.train, data.catalog.n_items)
    raw_ids = data.catalog.items["raw_id"].to_numpy()
    untrained = raw_ids[np.flatnonzero(counts[1:] == 0)].tolist()
    content = {"expected": expected_traffic(top_k, histories).plain(), "untrained": untrained}
    (student / _FILE).write_text(json.dumps(content) + "\n", encoding="utf-8")


def read_reference(student: Path) -> Reference:
    """Read back what ``write_reference`` wrote.

    Raises
    ------
    UserError
        When the student was promoted before there was such a file, or it is damaged.
    """
    path = student / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        untrained = frozenset(map(str, content["untrained"]))
        return Reference(Traffic.of_plain(content["expected"], str(path)), untrained)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"The champion does not say which traffic it expects ({type(error).__name__} in "
            f"{_FILE}): promote it again."
        ) from None
