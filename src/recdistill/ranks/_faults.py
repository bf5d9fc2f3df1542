"""When a rank goes away: which, why, and what to do, in one sentence."""

from __future__ import annotations

import json
import socket
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from torch import distributed

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from recdistill.ranks._group import Group

LOST = 3
"""Exit status of a rank that ended because another one had."""

GO_ON = "Start the same command again: it goes on from the last finished epoch."

# How long rank 0 looks for the reason once it has lost another rank.
_SECONDS = 10.0
# What gloo, NCCL and the store say when the other end of a connection is gone.
_LOST_WORDS = (
    "gloo/transport",
    "connection closed by peer",
    "connection reset by peer",
    "broken pipe",
    "communicator was aborted",
    "remote process exiting",
    "watchdog caught collective operation timeout",
)


def lost_another(error: BaseException) -> bool:
    """Whether an error says no more than that another rank is gone."""
    if isinstance(error, (distributed.DistNetworkError, distributed.DistStoreError)):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(word in words for word in _LOST_WORDS)


def tell(group: Group, error: Exception) -> None:
    """Leave the reason why this rank ends where rank 0 finds it."""
    said = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    fault = {"host": socket.gethostname(), "said": said, "user": isinstance(error, UserError)}
    with suppress(RuntimeError):  # rank 0 is gone: nobody asks
        group.store.set(f"fault/{group.place.rank}", json.dumps(fault))


@contextmanager
def explained(group: Group, died: Callable[[], str | None] = lambda: None) -> Iterator[None]:
    """On rank 0, turn the loss of another rank into the sentence that says why it went.

    Parameters
    ----------
    group : Group
    died : callable
        Says how a process ended that told nothing, where anybody knows.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not lost_another(error):
            raise
        raise UserError(_reason(group, died)) from error


def _reason(group: Group, died: Callable[[], str | None]) -> str:
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        for rank in range(1, group.place.size):
            if said := _told(group, rank):
                return said
        if said := died():
            return f"{said} {GO_ON}"
        time.sleep(0.1)
    return f"Another of the {group.place.size} training processes went away. {GO_ON}"


def _told(group: Group, rank: int) -> str | None:
    key = f"fault/{rank}"
    try:
        if not group.store.check([key]):
            return None
        fault = json.loads(group.store.get(key))
    except RuntimeError:
        return None
    where = f"Rank {rank} of {group.place.size} on {fault['host']}"
    if fault["user"]:
        return f"{where}: {fault['said']}"
    return f"{where} failed while training ({fault['said'][:300]}). {GO_ON}"
