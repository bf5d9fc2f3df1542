"""What of a whole a rank takes, and how the whole comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill.ranks._group import current

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.ranks._place import Place


def share_of(
    rows: NDArray[np.int64], n_targets: NDArray[np.int64], place: Place
) -> tuple[NDArray[np.int64], float]:
    """Return a rank's rows of a batch, and the factor on the mean loss over their targets.

    The ranks' rows together are the batch, each row once. With the factor ``size * n_own / n_all``
    the mean of all ranks' gradients is the gradient of the mean over the whole batch's targets. A
    batch may have fewer rows than there are ranks: who gets none computes the first one for
    nothing, with factor 0, since all ranks must take every step.

    Parameters
    ----------
    rows : int64 array, shape [n_rows, ...]
        Sorted by size, so that dealing them out one by one gives every rank about the same work.
    n_targets : int64 array, shape [n_rows]
    place : Place
    """
    mine = slice(place.rank, None, place.size)
    if len(rows[mine]) == 0:
        return rows[:1], 0.0
    return rows[mine], place.size * float(n_targets[mine].sum()) / float(n_targets.sum())


class SharedScores:
    """A recommender whose scores the ranks compute together.

    Every rank asks for the same histories, scores its share and gets the scores of all, so an
    evaluation runs unchanged on each of them and ends in the same figures to the last digit.
    Where a process is alone this is the recommender itself.

    Parameters
    ----------
    model : a recommender; see ``evaluation.Recommender``
    """

    def __init__(self, model: Any) -> None:
        self.model, self.catalog_digest = model, model.catalog_digest
        self.kind = str(getattr(model, "kind", type(model).__name__))
        self.query_time = str(getattr(model, "query_time", "none"))

    def score(self, histories: Sequences) -> Tensor:
        """Score the whole catalog after each history, [n_rows, n_items + 1]."""
        group = current()
        if group is None:
            whole: Tensor = self.model.score(histories)
            return whole
        n, place = len(histories), group.place
        # A rank without a row of its own scores the first one, to learn shape and device.
        mine = np.arange(place.rank, n, place.size)
        scores = self.model.score(histories.take(mine if len(mine) else np.zeros(1, np.int64)))
        return group.dealt_back(scores[: len(mine)].contiguous(), n)


def whole_file(path: Path | None, folder: Path) -> Path | None:
    """Give every rank the file that rank 0 has, if it has one; its own copy lies in ``folder``."""
    group = current()
    if group is None:
        return path
    content = group.bytes_of_lead(path.read_bytes() if path and group.place.rank == 0 else None)
    if content is None or group.place.rank == 0:
        return path
    copy = folder / "from-rank-0"
    copy.write_bytes(content)
    return copy
