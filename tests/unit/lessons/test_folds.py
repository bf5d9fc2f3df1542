"""How users are dealt to folds."""

import numpy as np
import pytest

from recdistill.errors import UserError
from recdistill.lessons._folds import user_folds


def test_folds_are_even_and_follow_the_seed():
    folds = user_folds(103, 5, seed=0)
    assert sorted(np.bincount(folds)) == [20, 20, 21, 21, 21]
    assert (folds == user_folds(103, 5, seed=0)).all()
    assert (folds != user_folds(103, 5, seed=1)).any()


@pytest.mark.parametrize("n_folds", [0, 1, 9])
def test_too_few_and_too_many_folds_are_refused(n_folds):
    with pytest.raises(UserError, match=f"between 2 and 8 folds, not {n_folds}"):
        user_folds(8, n_folds, seed=0)
