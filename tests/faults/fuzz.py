"""Wrong settings, search spaces, data files and saved folders by the thousand, slice by slice.

    python -m tests.faults.fuzz --cases 10000

The cases are those of the tests named in ``ROOMS``, drawn from another seed in every slice. A case
that ends in a traceback, does not end, or is read as something else fails its test: mend the code,
and keep the case in the ``found/`` folder beside that test. What was tried is counted in
``build/faults/``; started again, the command goes on, and repeats what failed. The exit status is 1
if a slice failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from tests.faults.kills import FOLDER
from tests.faults.workshop import ROOT

_PATIENCE_SECONDS = 3600


@dataclass(frozen=True)
class Room:
    """One kind of input: its tests, how many tests of ``n`` cases each, and a slice's ``n``."""

    tests: tuple[str, ...]
    n_tests: int
    n: int


_WORDS, _FILES = "tests/faults/test_settings.py", "tests/unit/data/test_fuzz.py"
ROOMS = {
    "settings": Room((f"{_WORDS}::test_settings_are_accepted_or_refused",), 1, 500),
    "spaces": Room((f"{_WORDS}::test_spaces_are_accepted_or_refused",), 1, 500),
    "data files": Room((f"{_FILES}::test_a_damaged_file_is_read_or_refused",), 5, 100),
    "saved folders": Room(
        (
            "tests/unit/lessons/test_damaged_folders.py",
            "tests/unit/data/test_damaged_folder.py",
            "tests/unit/teachers/test_files.py::test_damage_is_refused_or_has_no_effect",
        ),
        11,
        40,
    ),
}  # fmt: skip


def try_slice(room: Room, seed: int) -> tuple[bool, float]:
    """Run one slice; say whether all held, and what it took of the processor, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = [sys.executable, "-m", "pytest", "-q", "-n", "0", f"--hypothesis-seed={seed}"]
    known = {
        "CASES": str(room.n),
        "RECDISTILL_DAMAGES": str(room.n),
        "RECDISTILL_DAMAGES_FROM": str(seed * room.n),
    }
    try:
        done = subprocess.run(
            [*program, *room.tests],
            cwd=ROOT,
            env=os.environ | known,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
        held = done.returncode == 0
        said = done.stdout[-6000:] if not held else ""
    except subprocess.TimeoutExpired:
        held, said = False, f"no end after {_PATIENCE_SECONDS} s"
    if said:
        print(said, flush=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return held, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Try slices of every room in turn until there are enough cases."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--cases", type=int, default=10_000, help="in all")
    asked.add_argument("--seed", type=int, default=0, help="of the first slice")
    said = asked.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"fuzz-{said.seed}.json"
    known: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    slices = {one["seed"]: one for one in known if one["held"]}
    while sum(one["cases"] for one in slices.values()) < said.cases:
        seed = next(s for s in itertools.count(said.seed) if s not in slices)
        name = list(ROOMS)[seed % len(ROOMS)]
        held, cpu = try_slice(ROOMS[name], seed)
        cases = ROOMS[name].n * ROOMS[name].n_tests
        one = {"room": name, "seed": seed, "cases": cases, "held": held, "cpu_s": round(cpu, 1)}
        slices[seed] = one
        path.write_text(json.dumps(list(slices.values()), indent=1) + "\n")
        print(json.dumps(one), flush=True)
    found = summary(list(slices.values()))
    (FOLDER / "fuzz.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))
    return 1 if found["n_slices_failed"] else 0


def summary(slices: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what was tried and found."""
    return {
        "n_cases": sum(one["cases"] for one in slices),
        "by_room": {
            name: sum(one["cases"] for one in slices if one["room"] == name) for name in ROOMS
        },
        "seeds": [min(one["seed"] for one in slices), max(one["seed"] for one in slices)],
        "n_slices_failed": sum(not one["held"] for one in slices),
        "cpu_seconds": round(sum(one["cpu_s"] for one in slices), 1),
    }


if __name__ == "__main__":
    sys.exit(main())
