"""The hot path: one batch of scores to rank counts and top lists, history masked and not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from recdistill.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recdistill.data import Sequences


@dataclass(frozen=True)
class Ranks:
    """Where the targets of one batch stand under one protocol.

    Attributes
    ----------
    n_above, n_tied : int32 tensors, shape [batch]
        Other items scored strictly above the target, and level with it.
    top : int64 tensor, shape [batch, depth]
        The best items, best first; ties in an order of torch's own. Where fewer candidates than
        ``depth`` exist the row ends in 0.
    """

    n_above: torch.Tensor
    n_tied: torch.Tensor
    top: torch.Tensor


def rank_batch(
    scores: torch.Tensor,
    histories: Sequences,
    targets: NDArray[np.int32],
    *,
    depth: int,
    model_name: str,
) -> tuple[Ranks, Ranks]:
    """Rank each target among all items, with the history masked and unmasked.

    Ranks are counted, never sorted: one comparison with the target's score per item. A target
    that is itself in the history cannot be recommended once the history is masked, so the masked
    ranks count it below everything; letting it stay as the one unmasked item of its history
    would tell the answer.

    Parameters
    ----------
    scores : float tensor, shape [batch, n_items + 1]
        Overwritten: the history is masked in place.
    histories, targets : batch rows
    depth : length of the top lists
    model_name : what to call the model in an error

    Returns
    -------
    masked, unmasked : Ranks

    Raises
    ------
    UserError
        If an item's score is NaN or infinite.
    """
    low, high = torch.aminmax(scores[:, 1:])
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise UserError(
            f"{model_name} scored an item NaN or infinite, so its ranks mean nothing: look at its "
            "training loss for divergence, or train again with a lower learning rate."
        )
    device = scores.device
    columns = torch.from_numpy(targets).to(device, torch.int64)[:, None]  # [batch, 1]
    unmasked = _rank(scores, columns, depth)

    lengths = torch.from_numpy(histories.lengths).to(device)
    rows = torch.repeat_interleave(torch.arange(len(targets), device=device), lengths)
    items = torch.from_numpy(histories.items).to(device, torch.int64)
    scores[rows, items] = -torch.inf
    masked = _rank(scores, columns, depth)
    seen = scores.gather(1, columns)[:, 0] == -torch.inf  # [batch]
    never = max(scores.shape[1] - 1, depth)
    masked.n_above[seen] = never
    masked.n_tied[seen] = 0
    return masked, unmasked


def _rank(scores: torch.Tensor, columns: torch.Tensor, depth: int) -> Ranks:
    level = scores.gather(1, columns)  # [batch, 1]
    # int32 sums are several times faster than torch's default int64 sums of booleans.
    n_above = (scores > level).sum(1, dtype=torch.int32)
    n_tied = (scores == level).sum(1, dtype=torch.int32) - 1
    values, top = scores.topk(min(depth, scores.shape[1]), dim=1)
    return Ranks(n_above, n_tied, torch.where(values == -torch.inf, 0, top))
