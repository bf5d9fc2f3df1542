"""The teacher that needs no language model: several floors, refitted without each user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.floors import fit_floor
from recdistill.lessons._label import label_views
from recdistill.lessons._pool import weigh
from recdistill.lessons._views import Views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data import PreparedData
    from recdistill.lessons._lessons import Lessons


def floor_lessons(
    kinds: Sequence[str], data: PreparedData, *, k: int = 10, n_folds: int = 5, seed: int = 0
) -> Lessons:
    """Let cross-fitted floors say what they would have listed at every training position.

    The floors are weighed against each other on validation (`weigh`). Each user's lists come from
    floors that were fitted without that user, so they cannot repeat the user's own targets.

    Parameters
    ----------
    kinds : floors, each with its default settings, such as ``["ease", "knn"]``
    data : PreparedData
    k : int
        Items per list.
    n_folds, seed : how users are dealt to folds

    Raises
    ------
    UserError
        For a floor that does not exist.
    """
    members = [fit_floor(kind, data.train, data.catalog) for kind in kinds]
    histories = Views(data.train, np.arange(len(data.train)))
    return label_views(weigh(members, data), histories, data, k=k, n_folds=n_folds, seed=seed)
