"""The scores of the whole catalog after histories."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.utils import parametrize

from recdistill.students._times import encode_at, times_of

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.students._model import SequentialModel


@torch.inference_mode()
@parametrize.cached()
def score_histories(model: SequentialModel, histories: Sequences) -> Tensor:
    """Score the whole catalog after each history.

    A user without history gets the same score for every item. Rows are read in groups of similar
    length, so a short history never pays for the padding of a long one.

    Parameters
    ----------
    model : SequentialModel
    histories : Sequences
        With ``times`` for a model that reads them, and ``asked_at`` for one that is told when the
        target happens.

    Returns
    -------
    float32 tensor, shape [n_rows, n_items + 1], on the model's device
        Column 0 (padding) is ``-inf``; the history is not masked.

    Raises
    ------
    UserError
        When the model reads times that the histories come without.
    """
    was_training = model.training
    model.eval()
    table = model.item_table()
    newest = histories.tail(model.max_length)
    lengths = torch.from_numpy(newest.lengths)
    states = torch.zeros(len(newest), model.dim, dtype=torch.float32, device=table.device)
    order = torch.argsort(lengths)
    for rows in torch.split(order[lengths[order] > 0], _ROWS_PER_PASS):
        state = _newest_states(model, newest.take(rows.numpy()), table.device)
        states[rows.to(table.device)] = state.float()
    scores = states @ table.float().T
    scores[:, 0] = -torch.inf
    model.train(was_training)
    return scores


def _newest_states(model: SequentialModel, few: Sequences, device: torch.device) -> Tensor:
    """Return the state after every history, shape [n_rows, dim]; no history is empty."""
    items, lengths = (torch.from_numpy(a).to(device) for a in (few.padded(), few.lengths))
    times = times_of(model, few)
    if times is None:
        return model.encode_newest(items, lengths)
    states = encode_at(model, items, times.to(device))  # [n_rows, length, dim]
    return states[torch.arange(len(states), device=device), lengths - 1]


# Enough rows for efficient matrix products, few enough to keep the activations in cache.
_ROWS_PER_PASS = 64
