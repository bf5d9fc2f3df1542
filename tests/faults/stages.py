"""Kill a stage; the same command must then end as if nothing had happened."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.killing import PATIENCE_SECONDS, ended, remaining
from tests.faults.outcome import (
    Outcome,
    digests,
    finished_trials,
    kept_files,
    newest,
    remove,
    statuses,
)
from tests.faults.process import import_like, start_stage
from tests.faults.workshop import KILLED, PROMOTES, Workshop, registered

if TYPE_CHECKING:
    import random

    from tests.faults.killing import Kill


@dataclass
class Reference:
    """An uninterrupted run: its outcome, how long it took, and what it left."""

    outcome: Outcome
    seconds: float
    n_trials: int
    kept: list[str]


class StageKills:
    """Kills of stages, each on a copy of a folder of finished small runs."""

    targets = tuple(KILLED)

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self._folder, self._workshop = folder, workshop
        self._imported: set[str] = set()

    def reference(self, stage: str) -> Reference:
        """Return the uninterrupted run of a stage, made when it is first asked for, and kept.

        Beside other inputs it is another one: ``compare`` counts the models that met its users.
        """
        words = self._workshop.words(stage)
        name = f"reference-{stage}-{len(self._workshop.runs)}"
        kept, folder = self._folder / f"{name}.json", self._folder / name
        if not kept.exists():
            for _ in range(2):  # the second one is as fast as those that are killed
                self._workshop.copy(folder)
                began = time.monotonic()
                if ended(start_stage(folder, stage, words)) != 0:
                    raise RuntimeError((folder / "log.txt").read_text()[-3000:])
                seconds = time.monotonic() - began
                import_like(folder)
            made = Reference(
                _outcome(folder, stage),
                seconds,
                finished_trials(folder),
                sorted(kept_files(folder)),
            )
            kept.write_text(json.dumps(asdict(made)))
        if name not in self._imported:
            import_like(folder)
            self._imported.add(name)
        known = json.loads(kept.read_text())
        return Reference(**{**known, "outcome": Outcome(**known["outcome"])})

    def kill(self, done: Kill, draw: random.Random) -> None:
        """Kill a stage once, start it again, and look."""
        wanted, words = self.reference(done.target), self._workshop.words(done.target)
        done.at_s = round(draw.uniform(0, wanted.seconds), 3)
        folder = self._workshop.copy(self._folder / f"{done.number:05d}")
        before = set(statuses(folder))
        process = start_stage(folder, done.target, words)
        time.sleep(done.at_s)
        done.strike(process, draw)
        if ended(process) is None:
            done.stuck.append(f"the killed process does not end in {PATIENCE_SECONDS:.0f} s")
        done.stuck += remaining(process)
        again = start_stage(folder, done.target, words)
        status = ended(again)
        done.stuck += remaining(again)
        if status != 0:
            said = (folder / "log.txt").read_text()[-1500:]
            done.lost.append(f"started again it ended with {status}: {said}")
            return
        look(done, folder, wanted, before)
        if done.holds():
            remove(folder)


def look(done: Kill, folder: Path, wanted: Reference, before: set[str]) -> None:
    """Compare a folder after the second start with the uninterrupted run."""
    now = statuses(folder)
    done.lost += [f"run {run}" for run in sorted(before - set(now))]
    done.stuck += [f"run {run} is RUNNING" for run, status in now.items() if status == "RUNNING"]
    if done.target == "sweep":  # whose order is free
        if (n := finished_trials(folder)) != wanted.n_trials:
            done.lost.append(f"{n} finished trials, not {wanted.n_trials}")
    else:
        found = _outcome(folder, done.target)
        for kind in ("metrics", "files"):
            has, should = getattr(found, kind), getattr(wanted.outcome, kind)
            done.lost += [f"{kind}: {name}" for name in sorted(should.keys() - has.keys())]
            done.changed += [
                f"{kind}: {name} is {has[name]!r}, not {should[name]!r}"
                for name in sorted(should.keys() & has.keys())
                if has[name] != should[name]
            ]
    done.leftovers += sorted(kept_files(folder) - set(wanted.kept))


def _outcome(folder: Path, stage: str) -> Outcome:
    if stage not in PROMOTES:
        return newest(folder, stage)
    # A night's figures are those of what it learnt.
    found = newest(folder, "update" if stage == "nightly" else stage)
    version, place = registered(folder, PROMOTES[stage])  # empty when no whole one has the alias
    files = digests(Path(place.removeprefix("file://")), "*.safetensors") if place else {}
    return Outcome(found.id, found.metrics, files | {"version": version})
