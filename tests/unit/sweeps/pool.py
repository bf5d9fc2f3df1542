"""A pool of workers on the hill of ``toy`` as a program of its own, so that it can be killed.

python -m tests.unit.sweeps.pool STUDY STORAGE TRACKING PARENT_RUN FOLDER N_WORKERS SECONDS
"""

from __future__ import annotations

import sys

from recdistill.sweeps import WorkerPool, load_study, open_storage
from tests.unit.sweeps import toy


def main(name: str, url: str, tracking: str, parent: str, folder: str, n: str, pace: str) -> None:
    """Work until the study is done; an epoch takes ``pace`` seconds."""
    storage = open_storage(url, heartbeat_seconds=1)
    study, _ = load_study(name, storage)
    pool = WorkerPool(toy.make_worker, (name, url, tracking, parent, folder, float(pace)), int(n))
    pool.run(study, storage, lambda: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
