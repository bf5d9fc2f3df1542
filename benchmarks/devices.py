"""What a second process brings to a student's training: two of one thread beside one of one thread.

    python -m benchmarks.devices
    python -m benchmarks.devices --rounds 5 --epochs 4

Both sides train ML-100K's published baseline through `fit_student` and take turns. Two figures are
kept of each round: the speed-up by the clock, which other work on the machine falsifies, and the
one that processor time allows: twice the targets per CPU second of both over those of one. The
second is what two free cores would give but for waiting on each other, since processes that wait
use none. The first epoch of each fit, which warms up, is left out, and so is validation.
Result: ``benchmarks/results/devices.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks import baselines
from recdistill.data import DataConfig, prepare
from recdistill.ranks import Devices, together
from recdistill.training import fit_student

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recdistill.data import PreparedData

RESULT = Path(__file__).parent / "results" / "devices.json"
DATASET = "ml-100k"
POSITIONS = (1_600, 12_800)
BY_CLOCK, BY_CPU = "train/targets_per_second", "train/targets_per_cpu_second"


def speeds(data: PreparedData, n_devices: int, positions: int, n_epochs: int) -> dict[str, float]:
    """Train, and return the middle epoch's targets per second, by the clock and by CPU time."""
    recipe = baselines.settings(DATASET, "sasrec", 0).recipe("sasrec")
    loop = replace(
        recipe.loop, max_epochs=n_epochs, validate_every=n_epochs, tokens_per_batch=positions
    )
    epochs: list[Mapping[str, float]] = []
    together(
        Devices(devices=n_devices),
        fit_student,
        replace(recipe, loop=loop),
        data,
        seed=0,
        own={"log": lambda metrics, _epoch: epochs.append(metrics)},
    )
    told = [metrics for metrics in epochs if BY_CLOCK in metrics][1:]
    return {name: statistics.median(m[name] for m in told) for name in (BY_CLOCK, BY_CPU)}


def compare(data: PreparedData, positions: int, rounds: int, n_epochs: int) -> dict[str, object]:
    """Alternate one and two processes; every ratio is of one round."""
    clock, cpu, one = [], [], []
    for _ in range(rounds):
        alone, both = (speeds(data, n, positions, n_epochs) for n in (1, 2))
        one.append(round(alone[BY_CPU]))
        clock.append(round(both[BY_CLOCK] / alone[BY_CLOCK], 3))
        cpu.append(round(2 * both[BY_CPU] / alone[BY_CPU], 3))
        print(f"{positions} positions: {clock[-1]} by the clock, {cpu[-1]} by CPU", flush=True)
    return {
        "targets_per_cpu_second_of_one": one,
        "speed_up_by_clock": clock,
        "speed_up_by_cpu": cpu,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of the second process
    torch.set_num_threads(1)
    data = prepare(DataConfig(dataset=DATASET))
    found = {str(n): compare(data, n, options.rounds, options.epochs) for n in POSITIONS}
    result = {
        "dataset": DATASET,
        "epochs": options.epochs,
        "batches": found,
        "n_cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[1], 1),
        "date": datetime.now(UTC).date().isoformat(),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
