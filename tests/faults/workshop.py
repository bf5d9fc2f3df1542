"""A folder of finished small runs, and the commands of every stage that go on from them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.faults.outcome import newest
from tests.faults.process import start_stage, wait_for
from tests.recipes.conftest import SMALL, TINY_STUDENT, make_llama
from tests.unit.updating.conftest import write_shop

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
STUDENT = [*SMALL, *TINY_STUDENT]
_TEACHER = ["--max_epochs=2", "--head.dim=16", "--llm_layers=0", "--batch=64"]

_WEEK = ["--dataset=steps", "--split=rolling", "--data_path={shop}"]
_NIGHT = ["--config={night}"]

# What goes in, by name: the stage that makes it and its words; {name} is the run of that input, or
# one of ``FILES``.
INPUTS: dict[str, tuple[str, list[str]]] = {
    "baseline": ("train_baseline", STUDENT),
    "floor": ("train_baseline", ["--model=ease", *SMALL]),
    "teacher": ("train_teacher", ["--baseline_run={baseline}", "--llm={llama}", *_TEACHER, *SMALL]),
    "table": (
        "export_teacher",
        ["--teacher_run={floor}", "--folds=2", "--top_k=20", *SMALL],
    ),
    "student": (
        "distill",
        ["--baseline_run={baseline}", "--teacher_run={table}", "--max_epochs=2", *SMALL],
    ),
    "champion": ("promote", ["--model_run={baseline}", "--name=served", *SMALL]),
    "week": ("prepare_data", [*_WEEK, "--until=1970-01-22"]),
    "next_week": ("prepare_data", [*_WEEK, "--until=1970-01-29", "--extends={week}"]),
    "weekly": ("train_baseline", [*_WEEK, "--until=1970-01-22", *TINY_STUDENT]),
    "first_night": ("nightly", [*_NIGHT, "--inbox={first_days}"]),
}
_THREE = "--baseline_run={baseline}", "--teacher_run={table}", "--student_run={student}"
# What is killed: another seed than that of the inputs, so that the cache has no answer.
KILLED: dict[str, list[str]] = {
    "prepare_data": ["--max_users=60", "--seed=2"],
    "train_baseline": [*STUDENT, "--max_epochs=4", "--seed=1"],
    "train_teacher": [*INPUTS["teacher"][1], "--seed=1"],
    "export_teacher": ["--teacher_run={teacher}", "--top_k=20", *SMALL, "--seed=1"],
    "make_transfer_set": ["--teacher_run={baseline},{floor}", "--n_views=2", *SMALL, "--seed=1"],
    "distill": [
        "--baseline_run={baseline}", "--teacher_run={table}", "--max_epochs=4", *SMALL, "--seed=1",
    ],
    "diagnose": [*_THREE, "--ladder=none", *SMALL, "--seed=1"],
    "evaluate": ["--model_run={baseline}", *SMALL, "--seed=1"],
    "compare": ["--runs={baseline},{floor}", "--n_resamples=1000"],
    "embed_items": [*SMALL, "--seed=1"],
    "promote": ["--model_run={baseline}", "--name=promoted", *SMALL],
    "score": ["--model_run={baseline}", "--part_size=20", *SMALL],
    "sweep": [
        "--baseline_run={baseline}", "--teacher_run={table}", "--space=quick", "--n_trials=3",
        "--workers=2", "--n_startup=2", "--n_seeds=0", "--sampler=random", *SMALL, "--seed=1",
    ],
    "update": ["--champion_run={weekly}", "--prepared={next_week}", "--epochs=2", "--seed=1"],
    "nightly": [*_NIGHT, "--inbox={all_days}"],
    "watch": ["--name=served", "--log={requests}", "--until=2026-11-25", "--min_histories=20"],
}  # fmt: skip
# Which registered model a stage moves on.
PROMOTES = {"promote": "promoted", "nightly": "recdistill-night"}

# Entry points that are not killed, and why.
LEFT_OUT = {
    "main": "starts stages that are killed by themselves, each as a child run",
    "audit_language": "starts trainings that are killed by themselves; hours long",
    "backtest": "starts trainings that are killed by themselves, one for each step back",
    "verify": "starts a stage that is killed by itself; test_verify removes its checkout",
    "reconcile": "repairs what kills leave; a sweep does the same at its end",
    "plan_memory": "keeps nothing but a report, which it makes in one go",
    "probe_memory": "keeps nothing but a report, which it makes in one go",
    "doctor": "keeps nothing",
}


def code_digest() -> str:
    """Return a short digest of everything that a stage runs, the workshop included."""
    found = hashlib.sha256()
    for room in ("src", "projects", "conf", "tracking", "tests/faults"):
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in (".py", ".yaml") and "found" not in path.parts:
                found.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return found.hexdigest()[:8]


class Workshop:
    """Inputs made as they are asked for, in one folder that trials copy, and kept there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._kept = folder / "inputs.json"
        self.runs: dict[str, str] = (
            json.loads(self._kept.read_text()) if self._kept.exists() else {}
        )

    def words(self, stage: str) -> list[str]:
        """Return the words of a command, with what it reads made and filled in."""
        if stage == "nightly":
            self.run("first_night")  # it goes on from there by the store, not by a word
        return [self._filled(word) for word in KILLED[stage]]

    def _filled(self, word: str) -> str:
        for name in (*INPUTS, *FILES):
            if f"{{{name}}}" in word:
                word = word.replace(f"{{{name}}}", self.run(name))
        return word

    def run(self, name: str) -> str:
        """Return the run that is an input, or the path of a file; made when first asked for."""
        if name not in self.runs:
            self.runs[name] = self._file(name) if name in FILES else self._made(*INPUTS[name])
            self._kept.write_text(json.dumps(self.runs))
        return self.runs[name]

    def _file(self, name: str) -> str:
        place = self.folder.parent / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return FILES[name](self, place)

    def _made(self, stage: str, words: list[str]) -> str:
        filled = [self._filled(word) for word in words]
        if wait_for(start_stage(self.folder, stage, filled)):
            raise RuntimeError((self.folder / "log.txt").read_text()[-3000:])
        return newest(self.folder, stage).id

    def copy(self, target: Path) -> Path:
        """Copy everything but the artifacts, which runs name by where they lie."""
        self.run("baseline")  # a store that exists: making one takes longer than most stages
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("mlruns", "log.txt"))
        return target


def _shop(_: Workshop, place: Path) -> str:
    return str(write_shop(place / "steps.csv"))


def _night(_: Workshop, place: Path) -> str:
    """Write the settings of a night: small trainings, and whoever learnt last serves."""
    student = dict(word.removeprefix("--").split("=") for word in TINY_STUDENT)
    settings = {
        "dataset": "night",
        "preparing": {"split": "rolling", "rolling.days": "3"},
        "training": student,
        "updating": {"epochs": "2"},
        "promoting": {"force": "true", "reason": "a trial"},
    }
    (place / "night.yaml").write_text(yaml.safe_dump(settings))
    return str(place / "night.yaml")


def _days(n: int) -> Callable[[Workshop, Path], str]:
    """Return what writes the shop's first three weeks, and its fourth where ``n`` is 2."""

    def write(workshop: Workshop, place: Path) -> str:
        head, *rows = Path(workshop.run("shop")).read_text().splitlines()
        ends, begins = (22 * 86_400, 29 * 86_400), 0
        for number, end in enumerate(ends[:n]):
            mine = [row for row in rows if begins <= int(row.rsplit(",", 1)[1]) < end]
            (place / f"{number}.csv").write_text("\n".join([head, *mine]) + "\n")
            begins = end
        return str(place)

    return write


def _requests(workshop: Workshop, place: Path) -> str:
    """Write the log of a service that was asked what its champion expects."""
    workshop.run("champion")
    # Every promoted version has one, and a kill of `nightly` may have left another.
    found = (workshop.folder / "mlruns").rglob("expected_traffic.json")
    said = max(found, key=lambda path: path.stat().st_mtime)
    span = {"from": "2026-11-24T10:00:00+00:00", "to": "2026-11-24T11:00:00+00:00", "version": 1}
    line = json.dumps(span | json.loads(said.read_text())["expected"])
    (place / "requests-2026-11-24.jsonl").write_text(line + "\n")
    return str(place)


# Inputs that are files: what writes one into a folder of its own and returns its path.
FILES: dict[str, Callable[[Workshop, Path], str]] = {
    "llama": lambda _, place: make_llama(place),
    "shop": _shop,
    "night": _night,
    "first_days": _days(1),
    "all_days": _days(2),
    "requests": _requests,
}


def registered(folder: Path, name: str) -> tuple[str, str]:
    """Return the version that a registered model's champion is, and where its files lie."""
    with sqlite3.connect(folder / "mlflow.db") as rows:
        found = rows.execute(
            "SELECT v.version, v.storage_location, v.source, v.status FROM model_versions v "
            "JOIN registered_model_aliases a ON a.name = v.name AND a.version = v.version "
            "WHERE a.name = ? AND a.alias = 'champion'",
            (name,),
        ).fetchone()
    return (str(found[0]), str(found[1] or found[2])) if found and found[3] == "READY" else ("", "")
