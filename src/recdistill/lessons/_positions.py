"""A model's scores at every position of a few histories, whatever kind of model it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import torch

from recdistill.floors import Floor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.evaluation import PositionScores, Recommender
    from recdistill.students import StudentRecommender


@runtime_checkable
class ScoresPositions(Protocol):
    """A causal model that scores every position of a history in one forward."""

    def score_positions(self, histories: Sequences) -> Iterable[PositionScores]:
        """Score every position but the first of every row, from the items before it."""
        ...


@torch.no_grad()
def score_every_position(model: Recommender, histories: Sequences) -> Tensor:
    """Score the catalog before every item of every row, shape [n_interactions, n_items + 1].

    Row ``offsets[r] + p`` is what the model says after the first ``p`` items of row ``r``. What a
    network says before the first item is not defined and comes out as zeros.

    A student is asked as it was trained, once per window: a hundred times faster than
    ``teachers.training_scores``, which asks it once per prefix, as when serving.

    Parameters
    ----------
    model : a floor, a student, or anything that scores positions
    histories : Sequences
        Few enough that their scores fit into memory, each of two items or more.
    """
    if isinstance(model, ScoresPositions):
        return _gathered(model, histories)
    one = _floor_row if isinstance(model, Floor) else _student_row
    parts = [one(model, histories.row(row)) for row in range(len(histories))]  # type: ignore[arg-type]
    return torch.cat(parts)


def _gathered(model: ScoresPositions, histories: Sequences) -> Tensor:
    scores = torch.empty(0)
    for part in model.score_positions(histories):
        if not len(scores):
            scores = torch.zeros(len(histories.items), part.scores.shape[1])
        at = torch.from_numpy(histories.offsets[part.users] + part.positions)
        scores[at] = part.scores.float().cpu()
    return scores


def _floor_row(model: Floor, items: NDArray[np.int32]) -> Tensor:
    return model.score_prefixes(items)


def _student_row(model: StudentRecommender, items: NDArray[np.int32]) -> Tensor:
    """Read windows that overlap by half, so that every position has at least half a window."""
    network = model.model
    table, length = network.item_table(), network.max_length
    rows = [torch.zeros(1, len(table), device=table.device)]
    row = torch.from_numpy(items[:-1].astype(np.int64))[None].to(table.device)
    done = 0
    while done < row.shape[1]:
        stop = min(done + (length if done == 0 else max(1, length // 2)), row.shape[1])
        states = network.encode(row[:, max(0, stop - length) : stop])[0]  # [window, dim]
        rows.append(states[-(stop - done) :] @ table.T)
        done = stop
    scores = torch.cat(rows)[: len(items)].cpu()
    scores[:, 0] = -torch.inf
    return scores
