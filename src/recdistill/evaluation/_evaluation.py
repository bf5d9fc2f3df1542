"""Score every case once; everything reported afterwards is computed from the ranks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from recdistill.errors import UserError
from recdistill.evaluation._lists import describe_lists, popularity_percentile
from recdistill.evaluation._outcomes import KS, METRICS, Metric, expected_outcome, hits_interval
from recdistill.evaluation._ranks import rank_batch
from recdistill.progress import progress_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Cases, Catalog, Sequences
    from recdistill.evaluation._recommender import Recommender

PROTOCOL = "full ranking, ties by expectation, v1"


_SCORE_BYTES = 128_000_000


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
        ``recall_at_k_low`` and ``recall_at_k_high``, ``hits_at_k``, ``ndcg_at_k``, ``mrr_at_k``,
        and from the top lists ``coverage_at_k`` (share of the catalog in anybody's list),
        ``popularity_at_k`` (mean popularity percentile of the recommended items, 0 to 1) and
        ``popularity_lift_at_k`` (that mean over the same mean of the histories).
        """
        n = len(self.per_user)
        values: dict[str, float] = {"n_users": float(n)}
        for prefix, masked in (("", True), ("unmasked/", False)):
            for k in KS:
                for metric in METRICS:
                    value = float(self.outcome(metric, k, masked=masked).mean())
                    values[f"{prefix}{metric}_at_{k}"] = value
                hits = float(self.outcome("recall", k, masked=masked).sum())
                low, high = hits_interval(hits, n)
                values[f"{prefix}hits_at_{k}"] = hits
                values[f"{prefix}recall_at_{k}_low"] = low
                values[f"{prefix}recall_at_{k}_high"] = high
        return values | self.lists

    def main_metrics(self) -> dict[str, float]:
        """Those of :meth:`metrics` that a model which is only a measure for others is read by.

        With the history masked: recall, NDCG and MRR at every k, all else at 10.
        """
        names = {f"{metric}_at_{k}" for metric in METRICS for k in KS}
        names.add("n_users")
        return {
            name: value
            for name, value in self.metrics().items()
            if name in names or ("/" not in name and "_at_10" in name)
        }


def outcome(
    per_user: pd.DataFrame, metric: Metric = "recall", k: int = 10, *, masked: bool = True
) -> NDArray[np.float64]:
    """One metric of every row of a per-user table, shape [n_cases]; see `expected_outcome`."""
    suffix = "" if masked else "_unmasked"
    n_above = per_user["n_above" + suffix].to_numpy()
    n_tied = per_user["n_tied" + suffix].to_numpy()
    return expected_outcome(n_above, n_tied, metric, k)


def evaluate(
    model: Recommender,
    cases: Cases,
    catalog: Catalog,
    train: Sequences,
    *,
    batch_size: int = 512,
    target_age: NDArray[np.floating] | None = None,
) -> Evaluation:
    """Rank every case's target among the whole catalog, in one pass of scores.

    Parameters
    ----------
    model : Recommender
    cases : Cases
        Who is asked, after which history, for which target.
    catalog : Catalog
        Must be the one the model was made for.
    train : Sequences
        Training interactions, which popularity is counted from.
    batch_size : int
        Cases scored at once, fewer where their scores, ``batch_size * (n_items + 1) * 4`` bytes,
        would take more than 128 MB.
    target_age : float array, shape [n_cases], optional
        Age of each target when it was consumed (any unit), for reports by item age.

    Raises
    ------
    UserError
        If the model belongs to another catalog, scores in the wrong shape, or scores an item NaN
        or infinite; or if there is nobody to evaluate.
    """
    name = str(getattr(model, "kind", type(model).__name__))
    catalog.require(model.catalog_digest, f"the model ({name})")
    n_cases = len(cases.targets)
    if n_cases == 0:
        raise UserError("There is no case to evaluate: the split left this part without users.")
    depth = KS[-1]
    batch_size = max(1, min(batch_size, _SCORE_BYTES // (4 * (catalog.n_items + 1))))
    # By length, so that models which pad a batch to its longest history waste little.
    order = np.argsort(cases.history.lengths, kind="stable")
    counts = np.zeros((n_cases, 4), np.int32)
    tops = np.zeros((2, n_cases, min(depth, catalog.n_items + 1)), np.int32)
    with torch.inference_mode(), progress_of(f"evaluate {name}", "users", n_cases) as line:
        for start in range(0, n_cases, batch_size):
            rows = order[start : start + batch_size]
            histories = cases.history.take(rows)
            scores = model.score(histories)
            if scores.shape != (len(rows), catalog.n_items + 1):
                raise UserError(
                    f"{name} scored in shape {tuple(scores.shape)} where "
                    f"{(len(rows), catalog.n_items + 1)} was due (cases, items with padding)."
                )
            ranks = rank_batch(scores, histories, cases.targets[rows], depth=depth, model_name=name)
            for i, r in enumerate(ranks):
                counts[rows, 2 * i] = r.n_above.cpu().numpy()
                counts[rows, 2 * i + 1] = r.n_tied.cpu().numpy()
                tops[i, rows] = r.top.cpu().numpy()
            line.advance(len(rows))

    popularity = np.bincount(train.items, minlength=catalog.n_items + 1)  # [n_items + 1]
    per_user = pd.DataFrame(
        {
            "user": cases.users,
            "history_length": cases.history.lengths,
            "target": cases.targets,
            "target_popularity": popularity[cases.targets],
            "repeated": _repeated(cases),
            "n_above": counts[:, 0],
            "n_tied": counts[:, 1],
            "n_above_unmasked": counts[:, 2],
            "n_tied_unmasked": counts[:, 3],
        }
    )
    if target_age is not None:
        per_user["target_age"] = target_age
    per_user.attrs = {
        "protocol": PROTOCOL,
        "catalog_digest": catalog.digest,
        "cases_digest": cases_digest(cases),
        "n_items": catalog.n_items,
        "model": name,
    }
    percentile = popularity_percentile(popularity)
    lists = describe_lists(tops[0], cases.history, percentile)
    unmasked = describe_lists(tops[1], cases.history, percentile)
    return Evaluation(per_user, lists | {f"unmasked/{name}": v for name, v in unmasked.items()})


def cases_digest(cases: Cases) -> str:
    """First 32 hex digits of a sha256 over users, histories and targets: who was asked what."""
    sha = hashlib.sha256()
    for array in (cases.users, cases.history.offsets, cases.history.items, cases.targets):
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()[:32]


def _repeated(cases: Cases) -> NDArray[np.bool_]:
    rows = np.repeat(np.arange(len(cases.targets)), cases.history.lengths)
    repeated = np.zeros(len(cases.targets), np.bool_)
    repeated[rows[cases.history.items == cases.targets[rows]]] = True
    return repeated
