"""Which training targets keep their list: all, or a budget spent where it should matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.lessons._config import SelectionConfig
    from recdistill.lessons._lessons import Lessons
    from recdistill.students import SequentialModel


@dataclass(frozen=True)
class BaselineView:
    """What a trained baseline says at every training position.

    Attributes
    ----------
    items : int32 tensor, shape [n_positions, k], its best items that the user had not had
    log_likelihood : float tensor, shape [n_positions]
        Of the true item; 0 at a user's first position, which it does not score.
    """

    items: Tensor
    log_likelihood: Tensor


@torch.inference_mode()
def view_training(model: SequentialModel, train: Sequences, k: int) -> BaselineView:
    """Run a model once over all training positions.

    Histories longer than the model reads are cut into windows that start where the last one ended,
    so a position right after a cut is judged from little context; one pass instead of one per
    position. Items of the window itself are left out of the lists.
    """
    was_training = model.training
    model.eval()
    table = model.item_table()
    items = torch.zeros(len(train.items), k, dtype=torch.int32)
    likelihood = torch.zeros(len(train.items))
    for row in range(len(train)):
        history = torch.from_numpy(train.row(row)).long().to(table.device)
        for start in range(0, len(history) - 1, model.max_length):
            window = history[start : start + model.max_length + 1]
            scores = model.encode(window[None, :-1])[0] @ table.T  # [length, n_items + 1]
            scores[:, 0] = -torch.inf
            wanted = scores.gather(1, window[1:, None])
            at = slice(int(train.offsets[row]) + start + 1, None)
            length = len(window) - 1
            at = slice(at.start, at.start + length)
            likelihood[at] = (wanted - scores.logsumexp(1, keepdim=True))[:, 0].cpu()
            seen = torch.ones(length, length, device=table.device).tril().bool()
            step, column = seen.nonzero(as_tuple=True)
            scores[step, window[column]] = -torch.inf
            scores.scatter_(1, window[1:, None], wanted)
            items[at] = scores.topk(k, 1).indices.int().cpu()
    model.train(was_training)
    return BaselineView(items, likelihood)


def overlap(first: Tensor, second: Tensor) -> Tensor:
    """Return how many items two lists share, row by row, shape [n]; 0 is no item."""
    shared = torch.zeros(len(first), dtype=torch.int64)
    for column in second.T:
        shared += ((first == column[:, None]) & (column > 0)[:, None]).any(1)
    return shared


def select(
    config: SelectionConfig, lessons: Lessons, baseline: BaselineView | None, *, seed: int
) -> Lessons:
    """Return the lessons with weight 0 where they are not to be used.

    Parameters
    ----------
    config : SelectionConfig
    lessons : Lessons
    baseline : BaselineView, needed by "uncertain" and "disagreement"
    seed : int
        Draws for "random", and breaks ties for the others.
    """
    covered = lessons.covered & (lessons.weights > 0)
    if config.policy == "all":
        return lessons
    draw = torch.from_numpy(np.random.default_rng(seed).random(len(covered)))
    if config.policy == "random":
        worth = draw
    elif baseline is None:
        raise UserError(f"selection={config.policy} compares with a baseline; name a baseline_run.")
    elif config.policy == "uncertain":
        worth = -baseline.log_likelihood.double() + 1e-9 * draw
    else:
        k = min(lessons.items.shape[1], baseline.items.shape[1])
        worth = draw - overlap(lessons.items[:, :k], baseline.items[:, :k])
    worth = worth.masked_fill(~covered, -torch.inf)
    n_kept = max(1, round(config.budget * int(covered.sum())))
    kept = torch.zeros(len(covered))
    kept[worth.topk(n_kept).indices] = 1.0
    return lessons.weighted(kept * lessons.weights)
