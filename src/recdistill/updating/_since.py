"""What happened since a model was trained, and how much of the past is trained beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import PreparedData, Sequences
    from recdistill.updating._config import UpdateConfig

# Items before the new ones that go with them when they are read again.
_AGAIN_WITH = 20


@dataclass(frozen=True)
class Since:
    """Sequences to go on with.

    Attributes
    ----------
    sequences : Sequences
        Rows of users with something new, then of users who are replayed, then what is new again.
    n_new : int
        Targets that the model was never trained on, however often they are read.
    n_replayed : int
        Targets that it was.
    """

    sequences: Sequences
    n_new: int
    n_replayed: int

    @property
    def replayed_share(self) -> float:
        """Old targets among all."""
        return self.n_replayed / (self.n_new + self.n_replayed)

    @property
    def n_targets(self) -> int:
        """Targets of one pass, as often as they are read."""
        return int((self.sequences.lengths - 1).sum())


def new_counts(before: PreparedData, now: PreparedData) -> NDArray[np.int64]:
    """Count every user's training interactions that ``before`` did not train on, shape [n_users].

    Both hold one log at two times, so a user's longer training part holds the shorter one.
    """
    places = pd.Index(before.users).get_indexer(pd.Index(now.users))
    trained = np.where(places >= 0, before.train.lengths[places.clip(0)], 0)
    counts: NDArray[np.int64] = np.maximum(now.train.lengths - trained, 0)
    return counts


def since(before: PreparedData, now: PreparedData, config: UpdateConfig, *, seed: int) -> Since:
    """Collect what is new to a model trained on ``before``, with some of the past.

    Raises
    ------
    UserError
        When nothing is new.
    """
    new = new_counts(before, now)
    active = np.flatnonzero((new > 0) & (now.train.lengths > 1))
    if not len(active):
        raise UserError(
            f"{now.folder.name} trains on nothing that {before.folder.name} did not: there is no "
            "news to go on with."
        )
    replay, users = config.replay, now.train.take(active)
    rows = users.tail(new[active] + replay.context)
    targets = rows.lengths - 1
    n_new = int(np.minimum(new[active], targets).sum())
    n_old = int(targets.sum()) - n_new
    drawn = _drawn(now, np.setdiff1d(np.flatnonzero(now.train.lengths > 1), active), seed)
    past = now.train.take(drawn).tail(replay.context + 1)
    past = past.take(np.arange(_n_enough(past, n_new, n_old, replay.share)))
    sequences, again = rows.followed_by(past), users.tail(new[active] + _AGAIN_WITH)
    for _ in range(config.new_times - 1):
        sequences = sequences.followed_by(again)
    return Since(sequences, n_new, n_old + int((past.lengths - 1).sum()))


def _n_enough(past: Sequences, n_new: int, n_old: int, share: float) -> int:
    """Count the rows that bring the old targets to their share of all."""
    if share == 1:
        return len(past)
    wanted = int(np.ceil(n_new * share / (1 - share))) - n_old
    if wanted <= 0:
        return 0
    return min(int(np.searchsorted(np.cumsum(past.lengths - 1), wanted)) + 1, len(past))


def _drawn(now: PreparedData, users: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    drawn: NDArray[np.int64] = np.random.default_rng(seed).permutation(users)
    return drawn
