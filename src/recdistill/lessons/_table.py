"""The teacher table: what a student learns from, keyed by user and position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill.checksums import read_description, understanding
from recdistill.errors import UserError
from recdistill.lessons._known_scores import KnownScores

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data import PreparedData

FORMAT = 3  # 2: the manifest has a checksum; 3: logits are terms of a log-linear pool
MANIFEST = "manifest.json"
ITEM_EMBEDDINGS = "item_embeddings.npy"
VALIDATION = "validation_scores.npy"
# Column -> number format on disk; logits also come as float16.
COLUMNS = {
    "users": "int32",
    "positions": "int32",
    "ids": "int32",
    "logits": "float32",
    "log_total": "float32",
    "target_rank": "float32",
    "reliability": "float32",
}


@dataclass(frozen=True)
class TeacherRows:
    """Rows of a table, in the order they were asked for.

    Attributes
    ----------
    found : bool array, shape [n]
        Whether the table has this position; the other arrays are empty there (ids 0, logits
        -inf, reliability 0).
    ids : int32 array, shape [n, top_k]
        Best item first; 0 where fewer than ``top_k`` items were left after masking.
    logits : float32 array, shape [n, top_k]
        Relative to the row's best item, which has 0; -inf where ``ids`` is 0.
    log_total : float32 array, shape [n]
        Log of the sum of ``exp(logit)`` over all unmasked items of the catalog, so
        ``exp(logits - log_total)`` are the teacher's probabilities and what they lack to one is
        its mass outside the list.
    target_rank : float32 array, shape [n]
        The true item's rank from 1 under the teacher, ties by their mean; NaN where not found.
    reliability : float32 array, shape [n], in [0, 1]
        ``exp(logit of the true item - logit of the best)``: one where the teacher is right, and
        DLLM2Rec's ``exp(-distance)`` with the distance measured in logits. 0 where not found, and
        where the true item was masked because the user had it before.
    """

    found: NDArray[np.bool_]
    ids: NDArray[np.int32]
    logits: NDArray[np.float32]
    log_total: NDArray[np.float32]
    target_rank: NDArray[np.float32]
    reliability: NDArray[np.float32]

    @property
    def n_missing(self) -> int:
        """Positions that were asked for and are not in the table."""
        return int((~self.found).sum())


class TeacherTable:
    """A table on disk, memory-mapped; made by ``TeacherTable.open``.

    Attributes
    ----------
    manifest : dict
        Digests of catalog, split and teacher, ``top_k``, ``select``, ``folds``, counts, shards.
    top_k, n_rows : int
    """

    def __init__(
        self, manifest: dict[str, Any], shards: list[dict[str, NDArray[Any]]], folder: Path
    ) -> None:
        self.manifest, self.folder = manifest, folder
        self.top_k, self.n_rows = int(manifest["top_k"]), int(manifest["n_rows"])
        self._shards = shards
        self._starts = np.cumsum([0, *(len(shard["users"]) for shard in shards)])
        # The keys are all that is read into memory: sixteen bytes a row.
        keys = _key(self._whole("users"), self._whole("positions"))
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    @classmethod
    def open(cls, folder: Path, data: PreparedData, *, verify: bool = True) -> TeacherTable:
        """Open a table for this data.

        Parameters
        ----------
        verify : bool
            Compare every shard with its checksum: one read of the table.

        Raises
        ------
        UserError
            When the table is of another catalog or split, was not finished, or has changed since.
        """
        path = folder / MANIFEST
        manifest = read_description(
            path, "teacher table", formats=(FORMAT,), checked_from=2, verify=verify
        )
        data.catalog.require(str(manifest.get("catalog_digest")), f"The teacher table in {folder}")
        if manifest.get("split_digest") != data.split_digest:
            raise UserError(
                f"The teacher table in {folder} was made for split "
                f"{str(manifest.get('split_digest'))[:12]} but the data at hand has split "
                f"{data.split_digest[:12]}: its positions mean other targets; export the teacher "
                "on this split."
            )
        with understanding(path, "teacher table"):
            shards = [
                {
                    column: np.load(folder / f"{shard}.{column}.npy", mmap_mode="r")
                    for column in COLUMNS
                }
                for shard in manifest["shards"]
            ]
            for shard in shards:
                _check(shard, manifest["top_k"])
            table = cls(manifest, shards, folder)
            if table.n_rows != table._starts[-1]:
                raise ValueError(f"{table._starts[-1]} rows instead of {table.n_rows}")
        return table

    @property
    def keys(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Users and positions of all rows, sorted by user, then position."""
        return self._sorted >> 32, self._sorted & 0xFFFFFFFF

    def validation(self, data: PreparedData) -> KnownScores | None:
        """Return the teacher as far as its scores of the validation cases go, or None."""
        if not self.manifest.get("has_validation"):
            return None
        scores = np.load(self.folder / VALIDATION, mmap_mode="r")
        return KnownScores(scores, data.val.history, data.catalog.digest)

    @property
    def item_embeddings(self) -> NDArray[np.float32] | None:
        """What the teacher knows of every item, shape [n_items + 1, dim], row 0 zero, or None."""
        if not self.manifest["has_item_embeddings"]:
            return None
        embeddings: NDArray[np.float32] = np.load(self.folder / ITEM_EMBEDDINGS, mmap_mode="r")
        return embeddings

    def join(self, users: NDArray[np.integer], positions: NDArray[np.integer]) -> TeacherRows:
        """Look rows up by key; the order of the table and of the question do not matter.

        Parameters
        ----------
        users, positions : int arrays, shape [n]
            Row of the user in the split's user list, and place of the target in the user's whole
            history, from 0.
        """
        wanted = _key(users, positions)
        place = np.searchsorted(self._sorted, wanted)
        place = np.minimum(place, max(len(self._sorted) - 1, 0))
        if len(self._sorted):
            found = self._sorted[place] == wanted
            rows = self._order[place][found]
        else:
            found, rows = np.zeros(len(wanted), bool), np.zeros(0, np.int64)
        out = _empty(len(wanted), self.top_k)
        shard_of = np.searchsorted(self._starts, rows, side="right") - 1
        target = np.flatnonzero(found)
        for shard in np.unique(shard_of):
            here = shard_of == shard
            local = rows[here] - self._starts[shard]
            for column, values in out.items():
                values[target[here]] = self._shards[shard][column][local]
        return TeacherRows(found=found, **out)

    def _whole(self, column: str) -> NDArray[Any]:
        if not self._shards:
            return np.zeros(0, np.int64)
        return np.concatenate([shard[column] for shard in self._shards])


def _key(users: NDArray[np.integer], positions: NDArray[np.integer]) -> NDArray[np.int64]:
    return (np.asarray(users, np.int64) << 32) | np.asarray(positions, np.int64)


def _empty(n: int, top_k: int) -> dict[str, Any]:
    return {
        "ids": np.zeros((n, top_k), np.int32),
        "logits": np.full((n, top_k), -np.inf, np.float32),
        "log_total": np.zeros(n, np.float32),
        "target_rank": np.full(n, np.nan, np.float32),
        "reliability": np.zeros(n, np.float32),
    }


def _check(shard: dict[str, NDArray[Any]], top_k: int) -> None:
    """Raise ValueError where the columns of a shard are none that ``TableWriter`` writes.

    Whether users, positions and items are those of the data, ``join_tables`` asks.
    """
    n = len(shard["users"])
    for name, values in shard.items():
        formats = ("float16", "float32") if name == "logits" else (COLUMNS[name],)
        shape = (n, top_k) if name in ("ids", "logits") else (n,)
        if values.dtype.name not in formats or values.shape != shape:
            raise ValueError(f"column {name} is {values.dtype} of shape {values.shape}")
