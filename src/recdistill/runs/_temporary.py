"""The temporary folder of a process: one of its own, so that everything in it goes.

Libraries write into the system's temporary folder what they remove themselves unless they are
killed: a checkpoint before it has its name, a copy of an artifact, the sockets of a sweep's
workers. In a folder that says whose it is the next stage finds it.

In the system's temporary folder and not beside the scratch: the path of a socket may have a hundred
letters, and a working folder alone may have more.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import tempfile
import time
from multiprocessing import util
from pathlib import Path
from typing import Any

from recdistill.runs._dead_runs import alive, process_tags

_PREFIX = "recdistill-tmp-"
_OWNER = "owner.json"
_UNSIGNED_SECONDS = 60.0
_LAST = -1000  # multiprocessing's own folders go at -100
_LONGEST = 72  # letters: with those of a sweep's socket, what every system takes


def own_temporary_folder() -> None:
    """Make a folder that this process and those it starts use for what is temporary.

    It goes when the process ends; those of dead ones go now. For the main program of a stage or a
    service alone: a notebook's temporary files are not ours to keep. Where none can be made, or its
    path would be too long, things stay as they are; whoever needs room there says that there is
    none.
    """
    try:
        here = Path(tempfile.gettempdir())
        place = here.parent if _owner(here) else here  # started by a stage, as ``main`` starts them
        clear_dead_folders(place)
        if len(str(place / _PREFIX)) + 8 > _LONGEST:
            return
        atexit.register(_give_back, str(here), os.getpid())  # after the folder has gone
        tempfile.tempdir = os.environ["TMPDIR"] = str(signed_folder(place))
    except OSError:
        return


def signed_folder(place: Path | None = None) -> Path:
    """Make a folder that says whose it is: it goes with this process, or after a kill as others do.

    Parameters
    ----------
    place : where; without it the temporary folder of this process.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    # After what multiprocessing keeps in it: that complains when its own folder has gone before.
    util.Finalize(None, _remove, (folder, os.getpid()), exitpriority=_LAST)
    folder.joinpath(_OWNER).write_text(json.dumps(process_tags()))
    return folder


def clear_dead_folders(place: Path) -> list[str]:
    """Remove this user's folders below ``place`` whose processes are gone; return their names."""
    removed = []
    for folder in sorted(place.glob(f"{_PREFIX}*")):
        try:
            about = folder.lstat()
        except OSError:  # removed by another stage at this moment
            continue
        if about.st_uid == os.geteuid() and not folder.is_symlink() and _is_dead(folder, about):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    return removed


def _is_dead(folder: Path, about: os.stat_result) -> bool:
    owner = _owner(folder)
    if owner is None:  # killed before it signed, or about to sign
        return time.time() - about.st_mtime > _UNSIGNED_SECONDS
    if owner.get("process.host") != socket.gethostname():
        return False
    return not alive(int(owner["process.pid"]), float(owner["process.started"]))


def _owner(folder: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads((folder / _OWNER).read_text())
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) else None


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder at the end of its process; a forked child must not take its parent's."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _give_back(before: str, owner: int) -> None:
    if os.getpid() == owner:
        tempfile.tempdir = os.environ["TMPDIR"] = before
