"""Kill stages and servers at moments drawn from a seed; afterwards all must be as if nothing was.

    python -m tests.faults.kills --kills 20 --targets distill,evaluate
    python -m tests.faults.kills --seconds 300
    python -m tests.faults.kills --kills 200 --seconds 86400

Every kill works on a copy of a folder of finished small runs (60 users of ML-100K, one thread): a
stage is started, killed (SIGKILL, SIGTERM, SIGINT, or two of them shortly after each other), and
started again by the same command. What serves is killed while it comes up or answers, and the parts
of the team server under a run that writes to them. Then

- nothing may be *lost*: the command ends well, with every run, metric and answer of an
  uninterrupted one;
- nothing may be *changed*: metrics to the last digit, weights and recommendations to the last bit
  (of a sweep, whose order is free, the number of finished trials);
- nothing may be *stuck*: no run RUNNING, no process left, no process that does not end;
- nothing may be *left over* in the temporary folder or in ``.recdistill`` that an uninterrupted run
  does not leave there.

Kills and what was found are kept in ``build/faults/``: started again, the command goes on with the
next kill, and repeats those that failed under other code. The exit status is 1 if anything was
found.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sys
import time
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tests.faults.killing import WAYS, Kill
from tests.faults.process import import_stages
from tests.faults.services import ServingKills, TeamKills
from tests.faults.stages import StageKills
from tests.faults.workshop import KILLED, ROOT, Workshop, code_digest

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = ROOT / "build" / "faults"
RESULT = FOLDER / "kills.json"
KINDS = ("lost", "changed", "stuck", "leftovers")
TARGETS = (*StageKills.targets, *ServingKills.targets, *TeamKills.targets)


class Kills:
    """The kills of one seed, as many as there are so far."""

    def __init__(self, seed: int, targets: list[str]) -> None:
        self.seed, self.targets, self.code = seed, targets, code_digest()
        self.path = FOLDER / f"kills-{seed}.json"
        self.done: dict[int, Kill] = {}
        if self.path.exists():
            known = [Kill(**kill) for kill in json.loads(self.path.read_text())]
            self.done = {kill.number: kill for kill in known if kill.holds()}
        workshop = Workshop(_workshop(self.code))
        stages = StageKills(workshop.folder.parent, workshop)
        serving = ServingKills(workshop.folder.parent, workshop)
        for stage in filter(KILLED.__contains__, targets):
            workshop.words(stage)  # all inputs first: a reference is remade when they grow
        self.team = TeamKills()
        self._killers: dict[str, Any] = dict.fromkeys(StageKills.targets, stages)
        self._killers |= dict.fromkeys(ServingKills.targets, serving)
        self._killers |= dict.fromkeys(TeamKills.targets, self.team)

    def next(self) -> Kill:
        """Kill once more, and keep what was found."""
        number = next(n for n in range(len(self.done) + 1) if n not in self.done)
        turn, place = divmod(number, len(self.targets))
        order = sorted(self.targets)  # every target once before any twice
        random.Random(f"{self.seed}-{turn}").shuffle(order)  # noqa: S311
        draw = random.Random(f"{self.seed}:{number}")  # noqa: S311
        kill = Kill(number, order[place], draw.choice(sorted(WAYS)), 0.0, self.code)
        before = _cpu_seconds()
        self._killers[kill.target].kill(kill, draw)
        kill.cpu_s = round(_cpu_seconds() - before, 2)
        self.done[number] = kill
        kept = json.dumps([asdict(self.done[n]) for n in sorted(self.done)], indent=1)
        self.path.write_text(kept + "\n")
        return kill

    def summary(self) -> dict[str, Any]:
        """Count what was done and found."""
        kills = [self.done[n] for n in sorted(self.done)]
        landed = [kill for kill in kills if kill.landed]
        return {
            "seed": self.seed,
            "n_kills": len(landed),
            "n_too_late": len(kills) - len(landed),
            "by_target": dict(sorted(Counter(k.target for k in landed).items())),
            "by_way": dict(sorted(Counter(k.way for k in landed).items())),
            **{kind: sum(bool(getattr(k, kind)) for k in kills) for kind in KINDS},
            "cpu_seconds": round(sum(k.cpu_s for k in kills), 1),
        }


def _workshop(code: str) -> Path:
    """Return the folder of the inputs of this code; those of other code go."""
    for other in FOLDER.glob("workshop-*"):
        if other.name != f"workshop-{code}":
            shutil.rmtree(other)
    return FOLDER / f"workshop-{code}" / "inputs"


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> int:
    """Kill as often as asked, or for as long; say what was found."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=0, help="in all; 0: as fit into --seconds")
    asked.add_argument("--seconds", type=float, default=150)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--targets", default=",".join(TARGETS), help="what is killed")
    asked.add_argument("--anew", action="store_true", help="forget the kills before")
    said = asked.parse_args()
    targets = [name for name in said.targets.split(",") if name in TARGETS]
    if missing := TeamKills.missing():
        print(f"the team server is left out: {missing}", flush=True)
        targets = [name for name in targets if name not in TeamKills.targets]
    FOLDER.mkdir(parents=True, exist_ok=True)
    if said.anew:
        (FOLDER / f"kills-{said.seed}.json").unlink(missing_ok=True)
    began = time.monotonic()
    import_stages(KILLED)
    kills, left = Kills(said.seed, targets), []
    try:
        while time.monotonic() - began < said.seconds:
            if said.kills and kills.summary()["n_kills"] >= said.kills:
                break
            print(json.dumps(asdict(kills.next())), flush=True)
    finally:
        left = kills.team.close()
    summary = kills.summary()
    wrong = [asdict(kill) for kill in kills.done.values() if not kill.holds()]
    RESULT.write_text(json.dumps(summary, indent=1) + "\n")
    RESULT.with_name("wrong.json").write_text(json.dumps({"kills": wrong, "left": left}) + "\n")
    print(json.dumps(summary), *left, flush=True)
    return 1 if wrong or left else 0


if __name__ == "__main__":
    sys.exit(main())
