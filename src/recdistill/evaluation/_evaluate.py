"""Score every case once; everything reported afterwards is computed from the ranks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from recdistill.errors import UserError
from recdistill.evaluation._evaluation import Evaluation
from recdistill.evaluation._lists import describe_lists, popularity_percentile
from recdistill.evaluation._outcomes import KS
from recdistill.evaluation._protocol import histories_for, protocol_of
from recdistill.evaluation._ranks import rank_batch
from recdistill.progress import progress_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import Cases, Catalog, Sequences
    from recdistill.evaluation._recommender import Recommender

_SCORE_BYTES = 128_000_000


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
        or infinite; if there is nobody to evaluate; or if the model is told of times that the
        cases do not have.
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
            histories = histories_for(model, cases, rows)
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
        "protocol": protocol_of(model),
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
