"""DLLM2Rec's three teacher files (arXiv 2405.00338), out of a teacher table and into one.

``all_embeddings`` holds one row per item, from the first item; ``myrank_train.txt`` the listed
items of every training row, best first, numbered from 0; ``confidence_train.txt`` a *distance*
per listed item: small is good. The reference joins them to its training rows by line number
alone. We write ``rows_train.txt`` (user row, position) beside them and join by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.errors import UserError
from recdistill.lessons._table import TeacherTable
from recdistill.lessons._table_writer import TableWriter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data import PreparedData

RANK = "myrank_train.txt"
CONFIDENCE = "confidence_train.txt"
ROWS = "rows_train.txt"
EMBEDDINGS = "all_embeddings"


def write_dllm2rec(table: TeacherTable, folder: Path, *, as_torch: bool = False) -> None:
    """Write the three files, one line per row of the table, by user and position.

    Parameters
    ----------
    as_torch : bool
        Also write ``all_embeddings.pt``, which the reference code loads. It holds one tensor, so
        ``torch.load(..., weights_only=True)`` reads it.

    Notes
    -----
    The distance is the difference of logits from the row's best item. A line with fewer items
    than ``top_k`` repeats its last item, as the format has no place for a gap.
    """
    folder.mkdir(parents=True, exist_ok=True)
    users, positions = table.keys
    rows = table.join(users, positions)
    last = np.maximum((rows.ids > 0).sum(1) - 1, 0)
    column = np.minimum(np.arange(table.top_k), last[:, None])  # [n, top_k]
    ids = np.take_along_axis(rows.ids, column, axis=1)
    distance = -np.take_along_axis(rows.logits, column, axis=1)
    np.savetxt(folder / RANK, ids - 1, fmt="%d")
    np.savetxt(folder / CONFIDENCE, np.where(np.isfinite(distance), distance, 0), fmt="%.6g")
    np.savetxt(folder / ROWS, np.stack([users, positions], axis=1), fmt="%d")
    if table.item_embeddings is not None:
        items = np.array(table.item_embeddings[1:])
        np.save(folder / f"{EMBEDDINGS}.npy", items)
        if as_torch:
            import torch

            torch.save(torch.from_numpy(items), folder / f"{EMBEDDINGS}.pt")


def read_dllm2rec(
    source: Path, folder: Path, data: PreparedData, *, first_id: int = 0
) -> TeacherTable:
    """Make a teacher table from DLLM2Rec's files.

    Parameters
    ----------
    source : Path
        Folder of the files. Without ``rows_train.txt`` the lines must be all training positions
        but each user's first, by user and position: that is checked by their number.
    folder : Path
        Where the table goes.
    first_id : int
        Number of the catalog's first item in the files.

    Raises
    ------
    UserError
        When the files do not fit each other or the data.

    Notes
    -----
    The files say nothing of the items they do not list: the total mass is that of the list, a
    true item that is not listed has reliability 0 and the rank after the list's end.
    """
    ids = _table_of(source / RANK).astype(np.int64) - first_id + 1
    distances = _table_of(source / CONFIDENCE)
    users, positions = _row_keys(source, data, len(ids))
    if ids.shape != distances.shape:
        raise UserError(
            f"{RANK} has {ids.shape[0]} lines of {ids.shape[1]} items but {CONFIDENCE} "
            f"{distances.shape[0]} of {distances.shape[1]}: they are not of one export."
        )
    if ids.min() < 1 or ids.max() > data.catalog.n_items:
        raise UserError(
            f"{source / RANK} names items {ids.min() - 1 + first_id} to {ids.max() - 1 + first_id} "
            f"but the catalog has {data.catalog.n_items} from {first_id}: check first_id."
        )
    repeated = np.zeros_like(ids, dtype=bool)
    repeated[:, 1:] = ids[:, 1:] == ids[:, :-1]
    logits = np.where(repeated, -np.inf, -(distances - distances[:, :1]))
    targets = data.train.items[data.train.offsets[users] + positions][:, None]
    at = (ids == targets) & ~repeated
    listed = at.any(1)
    place = at.argmax(1)
    with TableWriter(
        folder,
        data,
        teacher_digest="dllm2rec-files",
        top_k=ids.shape[1],
        logits="float32",
        facts={"imported_from": "dllm2rec"},
    ) as writer:
        writer.add_columns(
            users,
            positions,
            ids=np.where(repeated, 0, ids),
            logits=logits,
            log_total=np.log(np.exp(logits).sum(1)),
            target_rank=np.where(listed, place + 1, (~repeated).sum(1) + 1),
            reliability=np.where(listed, np.exp(logits[np.arange(len(ids)), place]), 0),
        )
        path = source / f"{EMBEDDINGS}.npy"
        if path.exists():
            items = np.load(path, allow_pickle=False)
            writer.set_item_embeddings(np.vstack([np.zeros_like(items[:1]), items]))
    return TeacherTable.open(folder, data, verify=False)


def _table_of(path: Path) -> NDArray[np.float64]:
    try:
        return np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read as rows of numbers ({error}): a DLLM2Rec teacher is "
            f"{RANK} and {CONFIDENCE}."
        ) from error


def _row_keys(
    source: Path, data: PreparedData, n_lines: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    path = source / ROWS
    if path.exists():
        keys = _table_of(path).astype(np.int64)
        users, positions = keys[:, 0], keys[:, 1]
    else:
        counts = np.maximum(data.train.lengths - 1, 0)
        users = np.repeat(np.arange(len(counts)), counts)
        positions = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    inside = len(users) == n_lines and (users < len(data.train)).all()
    if not inside or (positions >= data.train.lengths[users]).any():
        raise UserError(
            f"{source / RANK} has {n_lines} lines but the training split has {len(users)} "
            "positions to join them to: the files are of another split."
        )
    return users, positions
