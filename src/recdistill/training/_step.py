"""One training step: a loss, and whatever further terms a distillation adds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.training._batches import Batch


@dataclass(frozen=True)
class Step:
    """What a step offers to its terms. All rows are real targets; padding is gone.

    Attributes
    ----------
    states : float tensor, shape [n_targets, dim]
    table : float tensor, shape [n_items + 1, dim], row 0 padding
    targets : int tensor, shape [n_targets]
    batch : Batch
        ``batch.target_keys()`` gives the user row and the position of every target.
    """

    states: Tensor
    table: Tensor
    targets: Tensor
    batch: Batch


class Term(Protocol):
    """Something added to the loss, logged under its own name.

    Attributes
    ----------
    name : str
        Logged as ``train/loss_<name>``, unweighted.
    """

    name: str

    def weight(self, progress: float) -> float:
        """Return the term's weight at this share (0 to 1) of the planned steps.

        A term of weight zero is not computed, so it costs nothing and changes no bit.
        """
        ...

    def __call__(self, step: Step) -> Tensor:
        """Return the term, a mean over the targets, as a scalar tensor."""
        ...
