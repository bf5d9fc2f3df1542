"""Kills at random moments: KILLS=200, or as many as ten minutes hold, by ``make test-faults``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.faults.kills import RESULT


@pytest.mark.slow
def test_a_killed_stage_loses_changes_and_leaves_nothing() -> None:
    asked = os.environ.get("KILLS", "6")
    words = [] if asked == "fit" else [f"--kills={asked}"]
    program = [sys.executable, "-m", "tests.faults.kills", *words]
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(program, env=os.environ | one_thread, check=False)
    summary = json.loads(RESULT.read_text())
    wrong = [
        kill
        for kill in summary["kills"]
        if kill["lost"] or kill["changed"] or kill["stuck"] or kill["leftovers"]
    ]
    assert not wrong
    assert done.returncode == 0
    assert summary["n_kills"]
