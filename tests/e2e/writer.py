"""A process that logs through the project's own run handle, for the tests of outages and crowds.

    python tests/e2e/writer.py NAME METRICS SECONDS

Logs METRICS values of one series in steps of ten metrics, spread over SECONDS, and prints the id
of its run before the first one. The server and login come from the environment.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from recdistill.runs import open_run

METRICS_PER_STEP = 10


@dataclass
class Config:
    """What there is to configure: nothing."""

    seed: int = 0


def main() -> None:
    name, n_metrics, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    n_steps = n_metrics // METRICS_PER_STEP
    with open_run("writer", Config(), run_name=name) as run:
        print(run.id, flush=True)
        started, cpu = time.monotonic(), time.process_time()
        for step in range(n_steps):
            values = {f"train/m{column}": float(step) for column in range(METRICS_PER_STEP)}
            run.log_metrics(values, step)
            time.sleep(max(0.0, started + seconds * (step + 1) / n_steps - time.monotonic()))
        taken = time.monotonic() - started
    ended = time.monotonic() - started
    cpu = time.process_time() - cpu
    print(f"handed over in {taken:.3f} s, stored in {ended:.3f} s, {cpu:.3f} s of processor")


if __name__ == "__main__":
    main()
