"""Views of those who came since: what teachers are asked about when a transfer set goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recdistill.lessons import Views, draw_views
from recdistill.updating._since import new_counts

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.lessons import ViewsConfig


def fresh_views(
    before: PreparedData, now: PreparedData, config: ViewsConfig, *, seed: int
) -> Views:
    """Draw views of the histories that grew between ``before`` and ``now``, and of no others.

    Older views of these users stay true of what they had done by then.
    """
    grew = np.flatnonzero(new_counts(before, now) > 0)
    views = draw_views(now.train.take(grew), config, seed=seed)
    return Views(views.sequences, grew[views.owners])
