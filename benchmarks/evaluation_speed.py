"""Full-ranking evaluation beside RecTools' recommend(): users per CPU second of one thread.

    python -m benchmarks.evaluation_speed --peer-python /path/to/rectools-env/bin/python

Same data, same size of model, untrained weights: speed does not depend on what was learnt. Ours
ranks every target among the whole catalog, masked and unmasked, and makes two top-50 lists;
RecTools recommends a top-10 list with the history filtered, which its metrics are computed from.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.training_speed import LENGTHS, run_half

RESULT = Path(__file__).parent / "results" / "evaluation_speed.json"


def ours(dataset: str, length: int) -> float:
    """Return users evaluated per CPU second."""
    import torch

    from recdistill.data import DataConfig, prepare
    from recdistill.evaluation import evaluate
    from recdistill.students import StudentConfig, StudentRecommender, build_student

    torch.set_num_threads(1)
    data = prepare(DataConfig(dataset=dataset))
    config = StudentConfig(n_heads=1, max_length=length)
    student = build_student(config, data.catalog.n_items, seed=0)
    model = StudentRecommender(student, config, data.catalog.digest, data.split_digest)
    evaluate(model, data.val, data.catalog, data.train)
    started = time.process_time()
    evaluate(model, data.test, data.catalog, data.train)
    return len(data.test.targets) / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--peer-python", help="Python of an environment with RecTools")
    parser.add_argument("--half", choices=list(LENGTHS), help="only our half, as JSON")
    args = parser.parse_args()
    if args.half:
        print(json.dumps({"users_per_cpu_second": ours(args.half, LENGTHS[args.half])}))
        return
    if not args.peer_python:
        parser.error("--peer-python is needed: an environment with rectools==0.19.0")
    from recdistill.data import DataConfig, prepare

    peer = Path(__file__).parent / "peers" / "rectools_evaluation.py"
    results: dict[str, object] = {"date": datetime.now(UTC).date().isoformat()}
    for dataset, length in LENGTHS.items():
        train = prepare(DataConfig(dataset=dataset)).train
        with tempfile.TemporaryDirectory() as folder:
            arrays = Path(folder) / "train.npz"
            np.savez(arrays, items=train.items, offsets=train.offsets)
            theirs = [args.peer_python, str(peer), "--data", str(arrays), "--length", str(length)]
            mine = [sys.executable, "-m", "benchmarks.evaluation_speed", "--half", dataset]
            rates = {
                "recdistill": run_half(mine)["users_per_cpu_second"],
                "rectools": run_half(theirs)["users_per_cpu_second"],
            }
        results[dataset] = rates | {"ratio": rates["recdistill"] / rates["rectools"]}
        print(dataset, json.dumps(results[dataset]))
    RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
