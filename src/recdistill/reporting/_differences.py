"""What a stage says of its model beside others: the methods' difference where noise is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from recdistill.evaluation import p_words
from recdistill.reporting._case_outcomes import HEADLINE, K
from recdistill.reporting._contrast import Contrast, Resampling, contrast
from recdistill.reporting._groups import read_groups
from recdistill.reporting._history import read_history_of_recipes
from recdistill.reporting._scored_run import read_scored_run
from recdistill.reporting._verdict import NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.evaluation import Metric
    from recdistill.runs import Run


def log_differences(
    run: Run, of: Sequence[str], what: str, others: Sequence[Sequence[str]]
) -> list[str]:
    """Log the differences to other models as metrics of ``run``, and say each in words.

    ``delta/``, ``low/`` and ``high/`` are the difference and its 95 % interval: over users and
    trainings where both sides have several trainings or the store knows how far theirs lie apart,
    over users alone otherwise. ``p/`` is logged in the first case only, since it is about methods;
    ``p_users/`` always: whether these trained models differ. The tag ``ndcg_vs_<what>`` has the
    difference in NDCG@10, its interval and such a ``p`` in one cell of the run table.

    Parameters
    ----------
    run : where it is logged.
    of : ids of the trainings of the model that is spoken of, such as that of ``run`` itself.
    what : the others' part; the metrics end in ``_vs_<what>``, several others are numbered after
        the first.
    others : ids of the trainings of each other model.
    """
    words = []
    for i, trainings in enumerate(others):
        suffix = f"{what}_{i + 1}" if i else what
        for metric, found in contrast_trainings(run, of, trainings).items():
            run.log_metrics(_figures(found, f"{metric}_at_{K}_vs_{suffix}"))
            if metric == "ndcg":
                run.set_tags({f"ndcg_vs_{suffix}": _cell(found)})
            words.append(_sentence(found, f"{what} {found.against}"))
    return words


def contrast_trainings(
    run: Run, of: Sequence[str], against: Sequence[str]
) -> dict[Metric, Contrast]:
    """Test a model's trainings against another's, in recall@10 and NDCG@10, each p by itself.

    Parameters
    ----------
    run : whose store is read.
    of, against : ids of the trainings.
    """
    sides = [[read_scored_run(run.client, one) for one in ids] for ids in (of, against)]
    history = read_history_of_recipes(run.client, [side[0] for side in sides])
    one, other = read_groups([(side[0].name, side) for side in sides])
    return {m: contrast(one, other, m, Resampling(), history) for m in HEADLINE}


def _figures(found: Contrast, name: str) -> dict[str, float]:
    figures = {
        f"delta/{name}": found.delta,
        f"low/{name}": found.low,
        f"high/{name}": found.high,
        f"p_users/{name}": found.p_users,
    }
    return figures | ({f"p/{name}": found.p} if found.about == "methods" else {})


def _cell(found: Contrast) -> str:
    """Say it in one column of the run table, where a metric has one number."""
    words = f"{found.delta:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
    return f"{words} {p_words(found.p)}" if found.about == "methods" else words


def _sentence(found: Contrast, other: str) -> str:
    words = (
        f"{NAMES[found.metric]} against {other}: {found.delta:+.4f} "
        f"[{found.low:+.4f}, {found.high:+.4f}]"
    )
    if found.about == "methods":
        return f"{words}, {p_words(found.p)} (over users and trainings)"
    more = ""
    if math.isfinite(found.seeds_needed):
        more = f"; a verdict on the methods takes {found.seeds_needed:.0f} or more trainings a side"
    return f"{words} over users: these two trained models{more}"
