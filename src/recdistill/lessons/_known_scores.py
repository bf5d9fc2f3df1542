"""A teacher's scores of the validation cases, kept with its table.

Weighing teachers against each other and calibrating them takes their scores on validation. With
these beside the table nothing downstream loads a language model again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Sequences

MOST_BYTES = 500_000_000  # a larger catalog times users is not kept: the teacher is loaded then


class KnownScores:
    """Answers for the histories whose scores are on disk; an ``evaluation.Recommender``.

    Parameters
    ----------
    scores : float32 array, shape [n_cases, n_items + 1]
    histories : Sequences of n_cases rows
    catalog_digest : str
    """

    def __init__(
        self, scores: NDArray[np.float32], histories: Sequences, catalog_digest: str
    ) -> None:
        self.catalog_digest = catalog_digest
        self._scores = scores
        self._row_of = {histories.row(i).tobytes(): i for i in range(len(histories))}

    def score(self, histories: Sequences) -> torch.Tensor:
        """Look the scores up; see ``Recommender``.

        Raises
        ------
        UserError
            For a history that is not among those scored.
        """
        try:
            rows = [self._row_of[histories.row(i).tobytes()] for i in range(len(histories))]
        except KeyError:
            raise UserError(
                "This table knows its teacher's scores of the validation cases only: load the "
                "teacher itself to score other histories."
            ) from None
        return torch.from_numpy(self._scores[rows].astype(np.float32))
