"""Sweeps, servers and scoring for an hour: memory, files, threads and processes stay as they are.

    python -m tests.faults.soak --minutes 60

Three subjects work all the time, and are measured after every round of work, when they are quiet:
a process that runs one stage after the other as a notebook does (a floor, scoring, a sweep with two
workers), ``mlflow models serve`` with the champion, the team server with right and wrong logins,
runs and artifacts. A figure is flat when the median of the last quarter of its rounds is not above
that of the second quarter (the first is warm-up) by more than ``ROOM`` allows. The exit status is 1
if one is not.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import psutil
import requests

from tests.e2e._servers import TeamServer, free_port
from tests.faults.killing import ended, remaining
from tests.faults.kills import FOLDER
from tests.faults.outcome import remove, temporary
from tests.faults.process import import_stages, start
from tests.faults.services import TeamKills, ask, comes_up, ended_politely, serve
from tests.faults.workshop import Workshop, code_digest
from tests.recipes.conftest import SMALL

STAGES = ("train_baseline", "score", "sweep")
FIGURES = ("memory_mb", "files", "threads", "processes", "temporary")
# What a figure may grow by from the second quarter to the last: a share of it, and a number.
ROOM = {"memory_mb": (0.05, 8.0), "files": (0.0, 2.0), "threads": (0.0, 1.0)}
_QUARTERS = 4
_REQUESTS = 50

Sample = dict[str, float]


def measured(pids: list[int], folder: Path | None = None) -> Sample:
    """Measure processes and all that they started, and what lies in their temporary folder."""
    family = [psutil.Process(pid) for pid in pids]
    family += [child for one in family for child in one.children(recursive=True)]
    found = dict.fromkeys(FIGURES, 0.0)
    for process in family:
        try:
            with process.oneshot():
                found["memory_mb"] += process.memory_full_info().uss / 1e6
                found["files"] += process.num_fds()
                found["threads"] += process.num_threads()
                found["processes"] += 1
        except psutil.NoSuchProcess:
            continue
    found["temporary"] = len(list(temporary(folder).rglob("*"))) if folder else 0
    return found


def work_like_a_notebook(folder: Path, runs: dict[str, str], until: float) -> None:
    """Run stages in this process until it is time, measuring itself after every round."""
    from recdistill.runs import run_stage

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    small = dict(word.removeprefix("--").split("=") for word in SMALL)
    samples: list[Sample] = []
    while time.time() < until:
        n = len(samples)
        run_stage("train_baseline", model="ease", use_cache=False, **small)
        run_stage("score", model_run=runs["baseline"], output=f"recommended-{n}", **small)
        run_stage(
            "sweep", study=f"soak-{n}", baseline_run=runs["baseline"], teacher_run=runs["table"],
            space="quick", n_trials=2, workers=2, n_seeds=0, sampler="random", **small,
        )  # fmt: skip
        shutil.rmtree(f"recommended-{n}")
        gc.collect()
        samples.append(measured([os.getpid()], folder))
        Path("samples.part").write_text(json.dumps(samples))
        Path("samples.part").rename("samples.json")


def ask_the_champion(port: int) -> None:
    """Ask as often as a page with many visitors does, and wrongly too."""
    for _ in range(_REQUESTS):
        ask(port)
        ask(port, history=["no such item"])


def use_the_team_server(server: TeamServer, n: int) -> None:
    """Log in, rightly and wrongly; make a run; give it metrics and a file; read them back."""
    right, wrong = (server.admin, server.password), (f"guest-{n}", "guess")
    api = f"{server.url}/api/2.0/mlflow"
    with requests.Session() as session:
        made = session.post(f"{api}/runs/create", json={"experiment_id": "0"}, auth=right)
        run = made.json()["run"]["info"]["run_id"]
        for step in range(_REQUESTS):
            metric = {"run_id": run, "key": "m", "value": step, "timestamp": step, "step": step}
            session.post(f"{api}/runs/log-metric", json=metric, auth=right).raise_for_status()
        place = f"{api}-artifacts/artifacts/0/{run}/artifacts/file"
        session.put(place, data=os.urandom(100_000), auth=right).raise_for_status()
        assert len(session.get(place, auth=right).content) == 100_000
        assert session.get(f"{api}/users/current", auth=wrong).status_code == 401
    # As PostgreSQL does by itself every five minutes: its checkpointer then keeps files open.
    server.sql("CHECKPOINT")


def soak(minutes: float, folder: Path) -> dict[str, list[Sample]]:
    """Let all three work for so long; return their samples."""
    workshop = Workshop(folder / "inputs")
    runs = {name: workshop.run(name) for name in ("baseline", "table", "champion")}
    notebook, served = workshop.copy(folder / "notebook"), workshop.copy(folder / "served")
    port, team = free_port(), TeamKills()
    samples: dict[str, list[Sample]] = {"models serve": []}
    server_process = serve(served, port)
    try:
        if not comes_up(port, server_process):
            raise RuntimeError((served / "log.txt").read_text()[-3000:])
        server = team.started()
        until = time.time() + 60 * minutes
        worker = start(notebook, lambda: work_like_a_notebook(notebook, runs, until))
        services = {name: server.process_id(name) for name in TeamKills.targets}
        for n in range(sys.maxsize):
            ask_the_champion(port)
            samples["models serve"].append(measured([server_process], served))
            use_the_team_server(server, n)
            for name, pid in services.items():
                samples.setdefault(f"team server: {name}", []).append(measured([pid]))
            print(n, {name: known[-1] for name, known in samples.items()}, flush=True)
            if time.time() > until:
                break
        if (status := ended(worker)) != 0:
            raise RuntimeError(f"{status}: {(notebook / 'log.txt').read_text()[-3000:]}")
        samples["stages"] = json.loads((notebook / "samples.json").read_text())
    finally:
        left = [*ended_politely(server_process), *team.close()]
    left += remaining(worker)
    if left:
        raise RuntimeError(f"left behind: {left}")
    for used in (notebook, served):
        remove(used)
    return samples


def judged(samples: list[Sample]) -> dict[str, Any]:
    """Compare the last quarter with the second, figure by figure."""
    n = len(samples) // _QUARTERS
    if n < 1:
        raise SystemExit(f"{len(samples)} rounds are too few to judge by: take more minutes.")
    found: dict[str, Any] = {"n_rounds": len(samples)}
    for figure in FIGURES:
        before = statistics.median(sample[figure] for sample in samples[n : 2 * n])
        after = statistics.median(sample[figure] for sample in samples[-n:])
        share, number = ROOM.get(figure, (0.0, 0.0))
        found[figure] = {
            "second_quarter": round(before, 1),
            "last_quarter": round(after, 1),
            "flat": after <= before * (1 + share) + number,
        }
    return found


def main() -> int:
    """Soak, judge, keep."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=60)
    said = asked.parse_args()
    if missing := TeamKills.missing():
        raise SystemExit(missing)
    import_stages(STAGES)
    samples = soak(said.minutes, FOLDER / f"soak-{code_digest()}")
    found = {name: judged(known) for name, known in sorted(samples.items())}
    (FOLDER / "soak-samples.json").write_text(json.dumps(samples) + "\n")
    kept = {"minutes": said.minutes, "subjects": found}
    (FOLDER / "soak.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    flat = all(known[figure]["flat"] for known in found.values() for figure in FIGURES)
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
