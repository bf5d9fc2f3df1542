"""From any recommender to a teacher table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from recdistill.errors import UserError
from recdistill.lessons._table import TeacherTable
from recdistill.lessons._table_writer import TableWriter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import PositionScores, Recommender


@dataclass(frozen=True)
class Selection:
    """Which training positions a table holds.

    Attributes
    ----------
    kind : {"all", "newest", "share"}
        All, the newest ``amount`` of every user, or a seeded random share of all.
    """

    kind: Literal["all", "newest", "share"] = "all"
    amount: float = 0

    @classmethod
    def parse(cls, text: str) -> Selection:
        """Read ``all``, ``newest:20`` or ``share:0.5``.

        Raises
        ------
        UserError
        """
        if text == "all":
            return cls()
        kind, _, amount = text.partition(":")
        try:
            value = float(amount)
        except ValueError:
            value = -1.0
        if kind == "newest" and value >= 1:
            return cls("newest", value)
        if kind == "share" and 0 < value <= 1:
            return cls("share", value)
        raise UserError(
            f"select={text} is not understood: use all, newest:20 (positions per user) or "
            "share:0.5 (of all positions)."
        )

    def keep(
        self, data: PreparedData, users: NDArray[np.int64], positions: NDArray[np.int64], seed: int
    ) -> NDArray[np.bool_]:
        """Say which of these positions to keep; the same ones whatever order they come in."""
        keep = positions > 0  # before the first item there is nothing to score from
        if self.kind == "newest":
            keep &= positions >= data.train.lengths[users] - int(self.amount)
        elif self.kind == "share":
            drawn = np.random.default_rng(seed).random(len(data.train.items))
            keep &= drawn[data.train.offsets[users] + positions] < self.amount
        return keep


def export_table(
    folder: Path,
    data: PreparedData,
    scores: Iterable[PositionScores],
    *,
    teacher_digest: str,
    top_k: int = 100,
    logits: Literal["float16", "float32"] = "float16",
    mask_seen: bool = True,
    select: Selection | None = None,
    seed: int = 0,
    item_vectors: NDArray[np.float32] | None = None,
    validate_by: Recommender | None = None,
    facts: dict[str, Any] | None = None,
) -> TeacherTable:
    """Write a teacher table and open it.

    Parameters
    ----------
    scores : iterable of PositionScores
        From ``score_positions`` or ``out_of_fold_scores``, made terms of a log-linear pool by
        ``comparable_positions``.
    teacher_digest : str
    item_vectors : float array, shape [n_items + 1, dim], optional
    validate_by : Recommender, optional
        The teacher, if its scores of the validation cases shall be kept with the table.

    Raises
    ------
    UserError
        When nothing is left to write.
    """
    select = select or Selection()
    writer = TableWriter(
        folder,
        data,
        teacher_digest=teacher_digest,
        top_k=top_k,
        logits=logits,
        mask_seen=mask_seen,
        facts=facts,
    )
    with writer:
        for part in scores:
            kept = select.keep(data, part.users, part.positions, seed)
            if kept.any():
                writer.add(part.users[kept], part.positions[kept], part.scores[kept])
        if item_vectors is not None:
            writer.set_item_embeddings(item_vectors)
        if validate_by is not None:
            writer.set_validation(validate_by)
    table = TeacherTable.open(folder, data, verify=False)
    if not table.n_rows:
        raise UserError(
            "The selection holds no training position, so there is nothing to distil: widen select."
        )
    return table
