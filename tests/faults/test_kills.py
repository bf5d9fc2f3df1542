"""Kills at random moments: KILLS=200, or as many as 150 seconds hold, by ``make test-faults``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.faults.kills import KINDS, RESULT
from tests.faults.workshop import KILLED, LEFT_OUT, ROOT


def test_every_entry_point_is_killed_or_says_why_not() -> None:
    menu = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
    assert set(menu) == KILLED.keys() | LEFT_OUT.keys()
    assert not KILLED.keys() & LEFT_OUT.keys()


@pytest.mark.slow
def test_what_is_killed_loses_changes_and_leaves_nothing() -> None:
    asked = os.environ.get("KILLS", "6")
    words = [] if asked == "fit" else [f"--kills={asked}", "--seconds=86400"]
    program = [sys.executable, "-m", "tests.faults.kills", "--anew", *words]
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(program, env=os.environ | one_thread, check=False)
    found = json.loads(RESULT.read_text())
    assert json.loads(RESULT.with_name("wrong.json").read_text()) == {"kills": [], "left": []}
    assert [found[kind] for kind in KINDS] == [0] * len(KINDS)
    assert done.returncode == 0
    assert found["n_kills"]
