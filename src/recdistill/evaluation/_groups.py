"""Metrics by groups of cases: history length, item popularity, item age."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recdistill.evaluation._evaluation import outcome
from recdistill.evaluation._outcomes import METRICS, hits_interval

_GROUPINGS = {
    "history length": "history_length",
    "item popularity": "target_popularity",
    "item age": "target_age",
}


def group_metrics(
    per_user: pd.DataFrame, *, k: int = 10, n_groups: int = 4, masked: bool = True
) -> pd.DataFrame:
    """Split the cases into groups of about equal size, once by each property that is known.

    Returns
    -------
    DataFrame with one row per group: ``grouping``, ``group`` (0 the lowest), ``lowest`` and
    ``highest`` value of the property, ``n_users``, ``recall``, ``recall_low``, ``recall_high``
    (95% Clopper-Pearson), ``ndcg``, ``mrr``. Equal values stay in one group, so there may be fewer
    groups than asked; cases whose value is unknown (NaN) are left out.
    """
    outcomes = {m: outcome(per_user, m, k, masked=masked) for m in METRICS}
    rows = []
    for grouping, column in _GROUPINGS.items():
        if column not in per_user:
            continue
        values = per_user[column].to_numpy(dtype=np.float64)
        known = ~np.isnan(values)
        if not known.any():
            continue
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, n_groups + 1)[1:-1]))
        group_of = np.where(known, np.searchsorted(edges, values), -1)
        for group, number in enumerate(np.unique(group_of[known])):
            members = group_of == number
            n = int(members.sum())
            low, high = hits_interval(float(outcomes["recall"][members].sum()), n)
            rows.append(
                {
                    "grouping": grouping,
                    "group": group,
                    "lowest": values[members].min(),
                    "highest": values[members].max(),
                    "n_users": n,
                    "recall": outcomes["recall"][members].mean(),
                    "recall_low": low,
                    "recall_high": high,
                    "ndcg": outcomes["ndcg"][members].mean(),
                    "mrr": outcomes["mrr"][members].mean(),
                }
            )
    return pd.DataFrame(rows)
