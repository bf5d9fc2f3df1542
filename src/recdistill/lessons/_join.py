"""From teacher tables to lessons: joined by key, added up, refused where they cannot be right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from recdistill.errors import UserError
from recdistill.lessons._lessons import Lessons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.lessons import TeacherTable

_ROWS = 4096


def join_tables(
    tables: Sequence[TeacherTable],
    factors: Sequence[float],
    data: PreparedData,
    *,
    k: int,
    min_coverage: float = 0.0,
) -> Lessons:
    """Join tables with the training targets by (user, position) and add their logits up.

    Several tables become one teacher: the sum of their logits times ``factors``. An item that one
    of them does not list gets what the table leaves for such an item on average. One table with
    factor 1 is kept as it is.

    The teacher's total probability outside the lists is set, over all rows, to the share of true
    items the lists miss, wherever the tables' own sums do not hold any more.

    Parameters
    ----------
    tables : opened for ``data``, so of its catalog and split
    factors : one per table
    data : PreparedData
    k : int
        Length of the joint lists.
    min_coverage : float
        Refuse tables that together cover a smaller share of the targets.

    Raises
    ------
    UserError
        If a table has rows that are no training target (validation or test would leak), a key
        twice, an item that is not in the catalog, or a NaN; or if the tables cover too few targets.
    """
    if not tables or len(tables) != len(factors):
        raise UserError("Distilling takes at least one teacher table, and one factor for each.")
    train = data.train
    lengths = train.lengths
    for table in tables:
        _require_training_targets(table, lengths)
    users = np.repeat(np.arange(len(train)), lengths)
    positions = np.arange(len(users)) - train.offsets[users]
    n = len(users)
    lessons = Lessons(
        sequences=train,
        items=torch.zeros(n, k, dtype=torch.int32),
        logits=torch.full((n, k), -torch.inf),
        distance=torch.zeros(n),
        weights=torch.zeros(n),
    )
    for start in range(0, n, _ROWS):
        _join_rows(
            lessons,
            slice(start, min(start + _ROWS, n)),
            list(zip(tables, factors, strict=True)),
            (users, positions, train.items),
            data.catalog.n_items,
        )
    whole = all(table.top_k >= data.catalog.n_items for table in tables)
    if not whole and list(factors) != [1.0]:
        _settle_tail(lessons, train.items)
    if lessons.coverage < min_coverage or not lessons.n_covered:
        raise UserError(
            f"The teacher tables cover {lessons.n_covered} of {lessons.n_targets} training targets "
            f"({lessons.coverage:.0%}), below min_coverage={min_coverage:.0%}: export the teacher "
            "for more positions (select=all), or lower min_coverage."
        )
    return lessons.weighted(torch.ones(n))


def _join_rows(
    lessons: Lessons,
    part: slice,
    members: list[tuple[TeacherTable, float]],
    keys: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]],
    n_items: int,
) -> None:
    users, positions, targets = (array[part] for array in keys)
    n, k = len(users), lessons.items.shape[1]
    total = torch.zeros(n, n_items + 1)
    distance = torch.zeros(n)
    covered = torch.ones(n, dtype=torch.bool)
    for table, factor in members:
        rows = table.join(users, positions)
        ids, logits = torch.from_numpy(rows.ids).long(), torch.from_numpy(rows.logits)
        _require_sane(ids, logits, rows.log_total, n_items, table)
        dense = _unlisted(logits, torch.from_numpy(rows.log_total), n_items)[:, None]
        dense = dense.repeat(1, n_items + 1).scatter_(1, ids, logits)
        total += factor * dense
        certain = torch.from_numpy(rows.reliability).clamp(min=1e-12)
        distance -= factor * certain.log()
        covered &= torch.from_numpy(rows.found) & (ids[:, 0] > 0)
    total[:, 0] = -torch.inf
    if len(members) > 1:
        wanted = total.gather(1, torch.from_numpy(targets).long()[:, None])
        distance = (total.amax(1) - wanted[:, 0]).clamp(min=0)
    best = total.topk(min(k, n_items), 1)
    width = best.indices.shape[1]
    listed = covered[:, None].expand(-1, width)
    if len(members) == 1:
        # Only what the table itself lists counts as listed.
        listed = listed & (ids[:, :width] > 0) if width <= ids.shape[1] else listed
    lessons.items[part, :width] = torch.where(listed, best.indices, 0).int()
    lessons.logits[part, :width] = torch.where(
        listed, best.values - total.logsumexp(1, keepdim=True), -torch.inf
    )
    lessons.distance[part] = torch.where(covered, distance, 0.0)


def _settle_tail(lessons: Lessons, targets: NDArray[np.int32]) -> None:
    """Shift the mass outside the lists, the same for all rows, to what the lists miss.

    A table sums up its tail at its own scale. At another one the sum is not known: a flat tail
    would be too light, because what is just below the list outweighs the rest.
    """
    covered = lessons.covered
    hits = (lessons.items == torch.from_numpy(targets)[:, None]).any(1)[covered]
    if not len(hits):
        return
    wanted = float(hits.float().mean().clamp(1e-3, 1 - 1e-3))
    log_mass = lessons.logits[covered].logsumexp(1).clamp(max=-1e-6)
    odds = log_mass - torch.log(-torch.expm1(log_mass))
    low, high = -50.0, 50.0
    for _ in range(60):
        shift = (low + high) / 2
        low, high = (shift, high) if torch.sigmoid(odds + shift).mean() < wanted else (low, shift)
    settled = F.logsigmoid(odds + shift)
    lessons.logits[covered] += (settled - log_mass)[:, None]


def _unlisted(logits: torch.Tensor, log_total: torch.Tensor, n_items: int) -> torch.Tensor:
    """Logit of an item outside the list: their joint mass shared out evenly, shape [n]."""
    n_outside = (n_items - logits.isfinite().sum(1)).clamp(min=1)
    outside = (log_total.exp() - logits.exp().sum(1)).clamp(min=1e-9)
    last = logits.masked_fill(~logits.isfinite(), torch.inf).amin(1)
    return torch.minimum(outside.log() - n_outside.log(), last)


def _require_training_targets(table: TeacherTable, lengths: NDArray[np.int64]) -> None:
    users, positions = table.keys
    beyond = (users < 0) | (users >= len(lengths)) | (positions < 0)
    beyond |= positions >= lengths[np.clip(users, 0, len(lengths) - 1)]
    if beyond.any():
        first = int(np.flatnonzero(beyond)[0])
        raise UserError(
            f"The teacher table in {table.folder} has {int(beyond.sum())} rows that are no "
            f"training target, the first for user {users[first]} at position {positions[first]}: "
            "it would leak validation or test items. Export it again on this split."
        )
    twice = int(((np.diff(users) == 0) & (np.diff(positions) == 0)).sum())
    if twice:
        raise UserError(
            f"The teacher table in {table.folder} has {twice} positions twice, so which row counts "
            "is not defined. Export it again."
        )


def _require_sane(
    ids: torch.Tensor,
    logits: torch.Tensor,
    log_total: NDArray[np.float32],
    n_items: int,
    table: TeacherTable,
) -> None:
    if bool(((ids < 0) | (ids > n_items)).any()):
        raise UserError(
            f"The teacher table in {table.folder} lists item {int(ids.max())}, the catalog ends at "
            f"{n_items}: the table is corrupted; export it again."
        )
    if bool(logits.isnan().any()) or bool((logits == torch.inf).any()) or np.isnan(log_total).any():
        raise UserError(
            f"The teacher table in {table.folder} holds NaN or infinite logits: the teacher "
            "diverged; train it again with a lower learning rate and export it again."
        )
