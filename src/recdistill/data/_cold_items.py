"""The split that holds items out whole, to ask how a model ranks what it has never seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.data._raw import Finding
from recdistill.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig
    from recdistill.data._interactions import Interactions

WARM, COLD_IN_VAL, COLD_IN_TEST = 0, 1, 2


def draw(n_items: int, config: DataConfig) -> NDArray[np.int8]:
    """Which items are held out: WARM, COLD_IN_VAL or COLD_IN_TEST by item id, shape [n_items + 1].

    The draw depends on the seed, the shares and the number of items alone.
    """
    shares = config.cold_items
    n_test, n_val = (round(n_items * s) for s in (shares.test_share, shares.val_share))
    if not n_test or not n_val:
        raise UserError(
            f"split=cold_items holds out {n_test} items for test and {n_val} for validation of "
            f"{n_items}: use larger shares (cold_items.test_share, cold_items.val_share), or more "
            "data."
        )
    shuffled = np.random.default_rng(config.seed).permutation(n_items) + 1
    kinds = np.zeros(n_items + 1, np.int8)
    kinds[shuffled[:n_test]] = COLD_IN_TEST
    kinds[shuffled[n_test : n_test + n_val]] = COLD_IN_VAL
    return kinds


def cold_items(data: Interactions, config: DataConfig) -> tuple[pd.DataFrame, str, list[Finding]]:
    """Cut each user's sequence as leave-one-out does, cold items aside.

    Returns
    -------
    Rows of ``Split``, the rule in words, findings.
    """
    kinds = draw(data.catalog.n_items, config)
    user = data.rows["user"].to_numpy()
    kind = kinds[data.rows["item"].to_numpy()]
    starts = np.flatnonzero(np.diff(user, prepend=-1))
    place = np.arange(len(user))

    def last_of_each(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Give every row the place of its user's last row in the mask, or -1."""
        last = np.maximum.reduceat(np.where(mask, place, -1), starts)
        return np.repeat(last, np.diff(starts, append=len(user)))

    test_at = last_of_each(kind != COLD_IN_VAL)
    val_at = last_of_each((kind != COLD_IN_TEST) & (place < test_at))
    trains = (kind == WARM) & (place < val_at)
    tested = (val_at >= 0) & (last_of_each(trains) >= 0)
    is_test, is_val = tested & (place == test_at), tested & (place == val_at)
    trains = np.where(tested, trains, kind == WARM)
    keep = trains | is_val | is_test
    # Parts are the codes of ``Split``: 0 train, 1 val, 2 test.
    part = is_val.astype(np.int8) + 2 * is_test.astype(np.int8)
    rows = data.rows.drop(columns="part", errors="ignore").assign(part=part, target=part > 0)
    n_val, n_test = int((kinds == COLD_IN_VAL).sum()), int((kinds == COLD_IN_TEST).sum())
    cold_val, cold_test = int((is_val & (kind > 0)).sum()), int((is_test & (kind > 0)).sum())
    rule = (
        f"cold_items: {n_test} items drawn with seed {config.seed} occur as test targets only, "
        f"{n_val} others as validation targets only. A user's last item but those of validation is "
        "the test target, the last before it but those of test the validation target, and the warm "
        f"items before that train; {cold_val} of {int(is_val.sum())} validation targets and "
        f"{cold_test} of {int(is_test.sum())} test targets are cold."
    )
    gone = int((~keep).sum())
    said = f"{gone} interactions are with held-out items elsewhere than as a target: dropped."
    findings = [Finding("of_held_out_items", gone, "dropped", said)] if gone else []
    return rows[keep].reset_index(drop=True), rule, findings
