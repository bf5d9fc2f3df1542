"""A loss from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.training._losses import GBCE, Loss, Softmax
from recdistill.training._sampled_softmax import MixedSoftmax, SampledSoftmax

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recdistill.training._config import LossConfig


def build_loss(
    config: LossConfig, item_counts: NDArray[np.integer], *, sparse: bool = False
) -> Loss:
    """Return the loss that ``config`` names.

    Parameters
    ----------
    config : LossConfig
    item_counts : int array, shape [n_items + 1]
        Training interactions per item id.
    sparse : bool
        Give the item table a gradient of the rows alone that were looked up; the full softmax
        looks every row up.
    """
    n_items = len(item_counts) - 1
    if config.kind == "softmax":
        return Softmax(config.label_smoothing)
    if config.kind == "sampled_softmax":
        return SampledSoftmax(config.n_negatives, item_counts, config.sampling_power, sparse=sparse)
    if config.kind == "mixed_softmax":
        return MixedSoftmax(config.n_negatives, item_counts, config.sampling_power, sparse=sparse)
    t = config.gbce_t if config.kind == "gbce" else 0.0
    return GBCE(n_items, config.n_negatives, t, sparse=sparse)
