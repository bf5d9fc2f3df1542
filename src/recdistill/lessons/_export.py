"""From any recommender to a teacher table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from recdistill.errors import UserError
from recdistill.lessons._config import Selection
from recdistill.lessons._table import TeacherTable
from recdistill.lessons._table_writer import TableWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import PositionScores, Recommender


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
    report: Callable[[int], None] | None = None,
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
    report : callable, optional
        Is told of every part's number of positions when it is written.

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
            if report is not None:
                report(len(part.users))
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
