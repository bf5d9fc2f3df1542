"""Kill stages at moments drawn from a seed; the same command must then end as if nothing happened.

    python -m tests.faults.kills --kills 20 --seed 0 --stages distill,evaluate
    python -m tests.faults.kills --seconds 480

Each kill works on a copy of a folder of finished small runs (60 users of ML-100K, one thread): the
stage is started, killed (SIGKILL, SIGTERM, SIGINT, or two of them shortly after each other), and
started again by the same command. Then

- nothing may be *lost*: the command ends well, with every run and metric of an uninterrupted one;
- nothing may be *changed*: metrics to the last digit, weights to the last bit (of a sweep, whose
  order is free, the number of finished trials);
- nothing may be *stuck*: no run RUNNING, no process left, no process that does not end;
- nothing may be *left over* in the temporary folder or in ``.recdistill`` that an uninterrupted run
  does not leave there.

The kills and what was found go to ``build/faults/kills.json``; the exit status is 1 if it is
anything.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from tests.faults.workshop import (
    KILLED,
    Outcome,
    Workshop,
    finished_trials,
    import_stages,
    kept_files,
    newest,
    start,
    statuses,
)

WAYS = {
    "kill": (signal.SIGKILL,),
    "term": (signal.SIGTERM,),
    "int": (signal.SIGINT,),
    "int int": (signal.SIGINT, signal.SIGINT),
    "term kill": (signal.SIGTERM, signal.SIGKILL),
}
_PATIENCE_SECONDS = 300
_BETWEEN_SECONDS = 0.3
RESULT = Path("build/faults/kills.json")


@dataclass
class Kill:
    """One kill, and what was wrong afterwards: empty lists are what is wanted."""

    stage: str
    way: str
    at_s: float
    lost: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    def holds(self) -> bool:
        """Whether nothing was wrong."""
        return not (self.lost or self.changed or self.stuck or self.leftovers)


@dataclass
class Reference:
    """An uninterrupted run: its outcome, how long it took, and what it left."""

    outcome: Outcome
    seconds: float
    n_trials: int
    kept: set[str]


class Harness:
    """Kills one stage after another; what goes in is made once."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        (folder / "inputs").mkdir()
        self.workshop = Workshop(folder / "inputs")
        self.draw = random.Random(seed)  # noqa: S311
        self._references: dict[str, Reference] = {}
        self._n = 0

    def reference(self, stage: str) -> Reference:
        """Return the uninterrupted run of a stage, made when it is first asked for."""
        if stage not in self._references:
            words, folder = self.workshop.words(stage), self._copy()
            began = time.monotonic()
            status = ended(start(folder, stage, words), _PATIENCE_SECONDS)
            if status != 0:
                raise RuntimeError((folder / "log.txt").read_text()[-3000:])
            seconds = time.monotonic() - began
            self._references[stage] = Reference(
                newest(folder, stage), seconds, finished_trials(folder), kept_files(folder)
            )
        return self._references[stage]

    def kill(self, stage: str) -> Kill:
        """Kill a stage once, start it again, and look."""
        wanted, words = self.reference(stage), self.workshop.words(stage)
        way = self.draw.choice(sorted(WAYS))
        done = Kill(stage, way, round(self.draw.uniform(0, wanted.seconds), 3))
        between = self.draw.uniform(0, _BETWEEN_SECONDS)
        folder = self._copy()
        before = set(statuses(folder))
        process = start(folder, stage, words)
        time.sleep(done.at_s)
        for number in WAYS[way]:
            os.kill(process, number)  # ours until it is waited for, even when it has ended
            time.sleep(between)
        if ended(process, _PATIENCE_SECONDS) is None:
            done.stuck.append("the killed process does not end")
        done.stuck += remaining(process)
        again = start(folder, stage, words)
        status = ended(again, _PATIENCE_SECONDS)
        done.stuck += remaining(again)
        if status != 0:
            said = (folder / "log.txt").read_text()[-1500:]
            done.lost.append(f"started again it ended with {status}: {said}")
            return done
        look(done, folder, wanted, before)
        if done.holds():
            shutil.rmtree(folder)
        return done

    def _copy(self) -> Path:
        self._n += 1
        return self.workshop.copy(self.folder / f"{self._n:04d}")


def ended(process: int, patience: float) -> int | None:
    """Wait for a process; its exit status (negative: the signal), or None if it had to be ended."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        pid, status = os.waitpid(process, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return None


def remaining(session: int, patience: float = 30.0) -> list[str]:
    """Name the processes of a session that outlive its leader for long, and end them."""
    deadline = time.monotonic() + patience
    while found := [p for p in psutil.process_iter() if _session(p.pid) == session]:
        if time.monotonic() > deadline:
            said = [f"process {p.pid} is left: {' '.join(p.cmdline())[:200]}" for p in found]
            for process in found:
                process.kill()
            return said
        time.sleep(0.1)
    return []


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return -1


def look(done: Kill, folder: Path, wanted: Reference, before: set[str]) -> None:
    """Compare a folder after the second start with the uninterrupted run."""
    now = statuses(folder)
    done.lost += [f"run {run}" for run in sorted(before - set(now))]
    done.stuck += [f"run {run} is RUNNING" for run, status in now.items() if status == "RUNNING"]
    if done.stage == "sweep":
        if (n := finished_trials(folder)) != wanted.n_trials:
            done.lost.append(f"{n} finished trials, not {wanted.n_trials}")
    else:
        found = newest(folder, done.stage)
        for kind in ("metrics", "files"):
            has, should = getattr(found, kind), getattr(wanted.outcome, kind)
            done.lost += [f"{kind}: {name}" for name in sorted(should.keys() - has.keys())]
            done.changed += [
                f"{kind}: {name} is {has[name]!r}, not {should[name]!r}"
                for name in sorted(should.keys() & has.keys())
                if has[name] != should[name]
            ]
    done.leftovers += sorted(kept_files(folder) - wanted.kept)


def main() -> int:
    """Kill as often as asked, or for as long; say what was found."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=0, help="how many; 0: as fit into --seconds")
    asked.add_argument("--seconds", type=float, default=480)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--stages", default=",".join(KILLED))
    said = asked.parse_args()
    began, kills = time.monotonic(), []
    import_stages()
    # No TemporaryDirectory: every fork would remove it when it ends.
    folder = Path(tempfile.mkdtemp(prefix="recdistill-kills-")).resolve()
    try:
        harness = Harness(folder, said.seed)
        turn: list[str] = []
        while len(kills) < said.kills if said.kills else time.monotonic() - began < said.seconds:
            if not turn:  # every stage once before any twice
                turn = said.stages.split(",")
                harness.draw.shuffle(turn)
            kills.append(harness.kill(turn.pop()))
            print(json.dumps(asdict(kills[-1])), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    summary = {
        "seed": said.seed,
        "n_kills": len(kills),
        "by_stage": dict(sorted(Counter(k.stage for k in kills).items())),
        "by_way": dict(sorted(Counter(k.way for k in kills).items())),
        **{
            kind: sum(bool(getattr(k, kind)) for k in kills)
            for kind in ("lost", "changed", "stuck", "leftovers")
        },
        "seconds": round(time.monotonic() - began, 1),
        "kills": [asdict(k) for k in kills],
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps({k: v for k, v in summary.items() if k != "kills"}))
    return 0 if all(k.holds() for k in kills) else 1


if __name__ == "__main__":
    sys.exit(main())
