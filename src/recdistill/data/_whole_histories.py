"""Everything that everybody did: all parts of a split, and the rows that it left out.

A split is made to compare models, so it holds back what a service must know: rows of validation
that are nobody's history, rows after a test target, rows of held-out items, users who came last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.data._config import DataConfig
from recdistill.data._interactions import clean
from recdistill.data._log import ROWS, read_log
from recdistill.data._reading_config import Cleaning
from recdistill.data._sequences import Sequences
from recdistill.data._splits import packed
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._prepared import Cases, PreparedData

# Findings of the splits: interactions of users that are there, and users that are not.
_ROWS_LEFT_OUT = ("after_test_target", "of_held_out_items")
_USERS_LEFT_OUT = "users_without_history"


def whole_histories(data: PreparedData) -> tuple[NDArray[np.object_], Sequences]:
    """Return everybody whom cleaning left, with all their interactions, oldest first.

    They are read from the folder's arrays where these hold them all, else from its log.

    Returns
    -------
    users : object array of raw user ids, shape [n_users]
        Those of ``data`` in their order, and where there is a log the users that the split left
        out among them.
    histories : Sequences of n_users rows, without times

    Raises
    ------
    UserError
        When the split left interactions out and the folder keeps no log of them.
    """
    found = _of_the_parts(data)
    counts, dropped = (data.manifest.get(name, {}) for name in ("counts", "dropped"))
    n_missing = counts.get("n_interactions", len(found.items)) - len(found.items)
    n_missing += sum(dropped.get(name, 0) for name in _ROWS_LEFT_OUT)
    has_log = ROWS in data.manifest.get("files", {})
    if has_log and (n_missing or dropped.get(_USERS_LEFT_OUT)):
        return _of_the_log(data)
    if n_missing:
        raise UserError(
            f"{n_missing} interactions are in nobody's history in {data.folder}, by its split, and "
            "it keeps no log of them: prepare it again with use_cache=false if it has timestamps, "
            "or hand in the whole histories (users)."
        )
    return data.users, found


def _of_the_parts(data: PreparedData) -> Sequences:
    """Everybody's longest row: the last case with its target, or what a user without one trains."""
    n = len(data.users)
    tested, validated = _last_cases(data.test, n), _last_cases(data.val, n)
    of_test = np.flatnonzero(tested >= 0)
    of_val = np.flatnonzero((tested < 0) & (validated >= 0))
    others = np.flatnonzero((tested < 0) & (validated < 0))
    rows = (
        data.train.take(others)
        .followed_by(_with_targets(data.val, validated[of_val]))
        .followed_by(_with_targets(data.test, tested[of_test]))
    )
    return rows.take(np.argsort(np.concatenate([others, of_val, of_test])))


def _last_cases(cases: Cases, n_users: int) -> NDArray[np.int64]:
    """Give the case of every user that knows most, or -1, shape [n_users]."""
    last = np.full(n_users, -1, np.int64)
    shortest_first = np.argsort(cases.history.lengths, kind="stable")
    last[cases.users[shortest_first]] = shortest_first  # of one user's the last one stays
    return last


def _with_targets(cases: Cases, rows: NDArray[np.int64]) -> Sequences:
    """Give the histories of these cases, each with its target behind."""
    history = cases.history.take(rows)
    items = np.insert(history.items, history.offsets[1:], cases.targets[rows])
    return Sequences(items, history.offsets + np.arange(len(history.offsets)))


def _of_the_log(data: PreparedData) -> tuple[NDArray[np.object_], Sequences]:
    """Clean the log again as it was cleaned, and cut nothing."""
    then = data.manifest["config"]
    numbers = {name: then[name] for name in ("max_users", "min_interactions", "seed")}
    config = DataConfig(data.dataset, cleaning=Cleaning(**then["cleaning"]), **numbers)
    found, _ = clean(read_log(data.folder, data.manifest), config, data.catalog)
    rows = found.rows
    items, user = rows["item"].to_numpy(np.int32), rows["user"].to_numpy()
    return found.users, packed(items, user, len(found.users))
