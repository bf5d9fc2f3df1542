"""Worker processes: none outlives its sweep."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from recdistill.sweeps import running, tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.sweeps.conftest import Hill

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_workers_end_soon_after_their_sweep_was_killed_and_hand_their_trials_back(
    hill: Hill,
) -> None:
    hill.fill(4)
    tracking = f"sqlite:///{hill.folder}/mlflow.db"
    words = [hill.study.study_name, hill.url, tracking, hill.mirror.parent, str(hill.folder)]
    command = [sys.executable, "-m", "tests.unit.sweeps.pool", *words, "2", "60"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=env) as sweep:
        try:
            assert within(60, lambda: len(running(hill.study)) == 2)
            processes = psutil.Process(sweep.pid).children(recursive=True)
        finally:
            sweep.kill()
    assert len(processes) >= 3, "two workers, and the server that they were forked from"
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive
    assert tally(hill.study) == {"retried": 2, "waiting": 4}


def within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happens():
            return True
        time.sleep(0.1)
    return False
