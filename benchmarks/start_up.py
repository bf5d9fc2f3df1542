"""What a user waits for before anything is computed: CPU seconds of refusals and reused results.

    python -m benchmarks.start_up
    python -m benchmarks.start_up --before ../older --commit 5cd185e

Every case is a process of its own, several times; the least of user and system time counts, because
a busy machine only ever adds to it. The store is a file that the cases fill themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.pages import Block

RESULT = Path(__file__).parent / "results" / "start_up.json"
FLOOR = ("train_baseline", "--dataset=ml-100k", "--model=popularity")
ANEW = "--use_cache=false"
# What is asked; the most CPU seconds it may take; the exit status it ends with.
CASES: dict[str, tuple[tuple[str, ...], float, int]] = {
    "a mistyped setting of `train_baseline`": (("train_baseline", "--modle=knn"), 1.5, 2),
    "a mistyped setting of `train_teacher`": (("train_teacher", "--promt=id"), 1.5, 2),
    "`distill --help`": (("distill", "--help"), 2.0, 0),
    "a stage whose result is there": (FLOOR, 3.0, 0),
    "a floor on prepared ML-100K": ((*FLOOR, ANEW), 4.0, 0),
}


def cpu_seconds(words: tuple[str, ...], folder: Path, checkout: Path, status: int) -> float:
    """Start a stage as ``python -m`` does; return its user and system time."""
    paths = os.pathsep.join([str(checkout / "src"), str(checkout)])
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "PYTHONPATH": paths,
        "OMP_NUM_THREADS": "1",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", f"projects.{words[0]}", *words[1:]],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != status:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(checkout: Path, repeats: int) -> dict[str, float]:
    """Return the least CPU seconds of every case, run from a checkout."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cpu_seconds(FLOOR, folder, checkout, 0)  # prepares the data, and is the result to be reused
        return {
            case: round(min(cpu_seconds(words, folder, checkout, s) for _ in range(repeats)), 2)
            for case, (words, _, s) in CASES.items()
        }


def blocks() -> list[Block]:
    """Make the table of docs/benchmarks.md from the committed result."""
    return [Block("docs/benchmarks.md", "start-up", table(json.loads(RESULT.read_text())))]


def table(result: dict[str, dict[str, float]]) -> str:
    told = [kind for kind in ("before", "now") if kind in result]
    lines = [f"| CPU seconds | {' | '.join(told)} | at most |", "|---|" + "---:|" * (len(told) + 1)]
    for case, (_, most, _) in CASES.items():
        cells = " | ".join(f"{result[kind][case]:.1f}" for kind in told)
        lines.append(f"| {case} | {cells} | {most:g} |")
    return "\n".join(lines)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--before", type=Path, help="a checkout of an older commit to compare with")
    asked.add_argument("--commit", default="", help="of that checkout, for the record")
    asked.add_argument("--repeats", type=int, default=3)
    given = asked.parse_args()
    result = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    if given.before:
        result["before"] = measure(given.before, given.repeats)
        result["before_measured"] = {"commit": given.commit, "repeats": given.repeats}
    else:
        result["now"] = measure(Path(__file__).parents[1], given.repeats)
        result["now_measured"] = {"repeats": given.repeats}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for block in blocks():
        block.write()
    print(table(result))


if __name__ == "__main__":
    main()
