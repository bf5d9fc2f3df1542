"""What every stage after ``prepare_data`` works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from recdistill.data._catalog import Catalog
    from recdistill.data._sequences import Sequences


@dataclass(frozen=True)
class Cases:
    """Evaluation cases: predict ``targets[i]`` from ``history`` row ``i``.

    One case per user, but where a split asks for all targets of a window.

    Attributes
    ----------
    users : int64 array, shape [n_cases]
        Row of each case's user in the split's user list (``PreparedData.users``).
    history : Sequences of n_cases rows
        Everything the user did before the target (for test this includes the validation item).
    targets : int32 array, shape [n_cases], catalog ids.
    target_times : int64 array, shape [n_cases], optional
        When each target happened, in seconds. `evaluate` tells it to no model but one of
        ``query_time="known"``.
    """

    users: NDArray[np.int64]
    history: Sequences
    targets: NDArray[np.int32]
    target_times: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class PreparedData:
    """A catalog and a split, as read back from the folder ``prepare_data`` wrote.

    Attributes
    ----------
    users : object array of raw user ids (str), shape [n_users]
    train : Sequences of n_users rows
        The training part of every user. Position ``p`` of user ``u`` is the p-th item (from 0) of
        that user's whole history; the training part is its prefix, so ``(u, p)`` keys a training
        target in every teacher table.
    val, test : Cases
    manifest : dict
        Source, rule, seed, counts, ``catalog_digest`` and ``split_digest``.
    """

    dataset: str
    catalog: Catalog
    users: NDArray[np.object_]
    train: Sequences
    val: Cases
    test: Cases
    manifest: dict[str, Any]
    folder: Path

    @property
    def split_digest(self) -> str:
        """First 32 hex digits of a sha256 over the three parts of the split."""
        return str(self.manifest["split_digest"])

    def inputs(self) -> dict[str, str]:
        """Digests of the items with their words and of the split, for a stage's content key.

        Both: a split is of item numbers, and the same with other words.
        """
        return {"catalog": self.catalog.digest, "split": self.split_digest}
