"""Where a run keeps what passes: beside its state, so that the next stage can clear a dead one's.

Not in the system's temporary folder: what a killed process (kill -9, power cut) leaves there stays,
and a model folder per kill fills a disk.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from recdistill.runs._dead_runs import alive, process_tags

_FOLDER = "scratch"


def scratch_folder(state: Path, stage: str) -> Path:
    """Make an empty folder that says whose it is; absolute, since a stage may change its folder."""
    place = (state / _FOLDER).absolute()
    place.mkdir(parents=True, exist_ok=True)
    me = process_tags()
    owner = f"{me['process.pid']}_{me['process.started']}_{me['process.host']}_"
    return Path(tempfile.mkdtemp(prefix=f"{owner}{stage}-", dir=place))


def clear_dead_scratch(state: Path) -> list[str]:
    """Remove the scratch folders of processes on this host that are gone; return their names."""
    here = process_tags()["process.host"]
    removed = []
    for folder in sorted((state / _FOLDER).glob("*_*_*_*")):
        pid, started, rest = folder.name.split("_", 2)
        if (
            rest.startswith(f"{here}_")
            and pid.isdigit()
            and started.isdigit()
            and not alive(int(pid), float(started))
        ):
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
    return removed
