"""One model's ranks and what is reported of them, read without torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from recdistill.evaluation._clusters import spread_over_users
from recdistill.evaluation._outcomes import KS, METRICS, Metric, expected_outcome, hits_interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

HEADLINE: tuple[Metric, ...] = ("recall", "ndcg")
_NORMAL_95, _FEWEST_USERS = 1.959964, 2


@dataclass(frozen=True)
class Evaluation:
    """One model on one set of cases.

    Attributes
    ----------
    per_user : DataFrame
        One row per case: ``user`` (row in the split's user list), ``history_length``, ``target``,
        ``target_popularity`` (its interactions in training), ``repeated`` (the target is in its
        own history), ``n_above`` and ``n_tied`` with the history masked, ``n_above_unmasked`` and
        ``n_tied_unmasked``, and ``target_age`` where ages were given. ``per_user.attrs`` says what
        was measured: ``protocol``, ``catalog_digest``, ``cases_digest``, ``n_items``, ``model``.
        They travel with the Parquet file.
    lists : dict
        What describes the recommended lists and not single cases: coverage and popularity.
    """

    per_user: pd.DataFrame
    lists: dict[str, float]

    def outcome(
        self, metric: Metric = "recall", k: int = 10, *, masked: bool = True
    ) -> NDArray[np.float64]:
        """One metric of every case, shape [n_cases], in the order of ``per_user``."""
        return outcome(self.per_user, metric, k, masked=masked)

    def metrics(self) -> dict[str, float]:
        """All metrics by name; ``unmasked/`` leads the names of those with the history unmasked.

        For k in 1, 5, 10, 20, 50: ``recall_at_k`` with its 95% Clopper-Pearson bounds
        ``recall_at_k_low`` and ``recall_at_k_high`` (of a mean over users where some have several
        cases), ``hits_at_k``, ``ndcg_at_k``, ``mrr_at_k``,
        and from the top lists ``coverage_at_k`` (share of the catalog in anybody's list),
        ``popularity_at_k`` (mean popularity percentile of the recommended items, 0 to 1) and
        ``popularity_lift_at_k`` (that mean over the same mean of the histories). Where some targets
        are items that training never saw: ``new/`` and ``known/`` lead recall and NDCG at 10 of
        these and of the other targets, and their number ``n_users``.
        """
        n = len(self.per_user)
        values: dict[str, float] = {"n_users": float(n)}
        for prefix, masked in (("", True), ("unmasked/", False)):
            for k in KS:
                for metric in METRICS:
                    value = float(self.outcome(metric, k, masked=masked).mean())
                    values[f"{prefix}{metric}_at_{k}"] = value
                hits = float(self.outcome("recall", k, masked=masked).sum())
                low, high = self._recall_interval(k, masked=masked)
                values[f"{prefix}hits_at_{k}"] = hits
                values[f"{prefix}recall_at_{k}_low"] = low
                values[f"{prefix}recall_at_{k}_high"] = high
        return values | self._new_and_known() | self.lists

    def _recall_interval(self, k: int, *, masked: bool) -> tuple[float, float]:
        """Bound the recall; of users with several cases over users, since those are drawn."""
        hits = self.outcome("recall", k, masked=masked)
        if not self._users_have_several:
            return hits_interval(float(hits.sum()), len(hits))
        of_users = spread_over_users(hits, self.per_user["user"].to_numpy())
        if len(of_users) < _FEWEST_USERS:  # nothing is known of the others
            return 0.0, 1.0
        half = _NORMAL_95 * float(of_users.std(ddof=1)) / float(np.sqrt(len(of_users)))
        mean = float(of_users.mean())
        return max(0.0, mean - half), min(1.0, mean + half)

    @property
    def interval_method(self) -> str:
        """Say what the bounds of the recall are."""
        several = "normal, of a mean over users, 95%"
        return several if self._users_have_several else "Clopper-Pearson, 95%"

    @cached_property
    def _users_have_several(self) -> bool:
        return not self.per_user["user"].is_unique

    def _new_and_known(self) -> dict[str, float]:
        """Split the headline by whether training saw the target; nothing where it saw them all."""
        is_new = self.per_user["target_popularity"].to_numpy() == 0
        if not is_new.any():
            return {}
        values: dict[str, float] = {}
        for name, part in (("new", is_new), ("known", ~is_new)):
            values[f"{name}/n_users"] = float(part.sum())
            for metric in HEADLINE if part.any() else ():
                values[f"{name}/{metric}_at_10"] = float(self.outcome(metric, 10)[part].mean())
        return values

    def main_metrics(self) -> dict[str, float]:
        """Those of :meth:`metrics` that a model which is only a measure for others is read by.

        With the history masked: recall and NDCG at every k, all else at 10, new and known targets
        apart.
        """
        names = {f"{metric}_at_{k}" for metric in ("recall", "ndcg") for k in KS}
        names.add("n_users")
        return {
            name: value
            for name, value in self.metrics().items()
            if name in names
            or ("/" not in name and "_at_10" in name)
            or name.startswith(("new/", "known/"))
        }


def outcome(
    per_user: pd.DataFrame, metric: Metric = "recall", k: int = 10, *, masked: bool = True
) -> NDArray[np.float64]:
    """One metric of every row of a per-user table, shape [n_cases]; see `expected_outcome`."""
    suffix = "" if masked else "_unmasked"
    n_above = per_user["n_above" + suffix].to_numpy()
    n_tied = per_user["n_tied" + suffix].to_numpy()
    return expected_outcome(n_above, n_tied, metric, k)
