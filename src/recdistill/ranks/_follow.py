"""What ranks 1, 2, ... do: make the calls that rank 0 hands out.

``python -m recdistill.ranks._follow`` is such a process on rank 0's host, started by it.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING

from torch import distributed

from recdistill.errors import UserError
from recdistill.ranks._call import Call
from recdistill.ranks._faults import LOST, lost_another, tell
from recdistill.ranks._group import opened, working
from recdistill.ranks._launched import END, launched_store, turn
from recdistill.ranks._local import HOST, PORT, RANK, SIZE, on_loopback
from recdistill.ranks._place import Place
from recdistill.ranks._store import joined_store

if TYPE_CHECKING:
    from recdistill.ranks._group import Group

_FAILED = 1
_PATIENCE_SECONDS = 60.0


def follow(place: Place) -> None:
    """Make one call of rank 0's after the other until it says that there is no more.

    Ends the process with a status other than 0 when a call fails or rank 0 is gone.
    """
    with opened(place, launched_store(place)) as group:
        for n in count():
            if _next_word(group, n) == END:
                return
            content = group.bytes_of_lead(None)
            if content is not None and (status := _work(group, Call.from_bytes(content))):
                sys.exit(status)


def _next_word(group: Group, n: int) -> str:
    """Wait for rank 0, which may prepare data for hours; with it goes the store."""
    while True:
        try:
            group.store.wait([turn(n)], timedelta(minutes=5))
            return str(group.store.get(turn(n)).decode())
        except distributed.DistStoreError:  # only the waiting timed out
            continue
        except (distributed.DistError, RuntimeError):
            sys.exit(LOST)


def _work(group: Group, call: Call) -> int:
    """Make a call as one of the group; return the exit status that it comes to."""
    try:
        with working(group):
            call.make()
    except Exception as error:
        if lost_another(error):
            return LOST
        tell(group, error)
        if not isinstance(error, UserError):
            traceback.print_exc()
        return _FAILED
    return 0


def _started_by_rank_0() -> int:
    size = int(os.environ[SIZE])
    rank = int(os.environ[RANK])
    source = sys.stdin.buffer
    content = source.read(int.from_bytes(source.read(8), "big"))
    threading.Thread(target=_leave_with_rank_0, args=[source.fileno()], daemon=True).start()
    call = Call.from_bytes(content)  # imports what it takes, before the others wait
    store = joined_store(HOST, int(os.environ[PORT]), _PATIENCE_SECONDS)
    store.set(f"here/{rank}", "")
    with on_loopback(), opened(Place(rank, size, rank, size), store) as group:
        return _work(group, call)


def _leave_with_rank_0(source: int) -> None:
    # Nothing ever comes: it returns when rank 0 is gone. Not through the buffered file, whose lock
    # this thread would hold when the interpreter ends.
    os.read(source, 1)
    os._exit(LOST)


if __name__ == "__main__":
    sys.exit(_started_by_rank_0())
