"""Users dealt to folds, for models that are asked about users they never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def user_folds(n_users: int, n_folds: int, seed: int) -> NDArray[np.int64]:
    """Fold of each user, shape [n_users]: sizes differ by one at most.

    Raises
    ------
    UserError
        Unless there are at least two folds and no more folds than users.
    """
    if not 2 <= n_folds <= n_users:
        raise UserError(
            f"Cross-fitting {n_users} users takes between 2 and {n_users} folds, not {n_folds}."
        )
    return np.random.default_rng(seed).permutation(np.arange(n_users) % n_folds)
