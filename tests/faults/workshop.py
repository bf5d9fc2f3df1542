"""A folder of finished small runs, and the commands of every stage that go on from them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from pathlib import Path

from tests.faults.outcome import newest
from tests.faults.process import start_stage, wait_for
from tests.recipes.conftest import SMALL, TINY_STUDENT, make_llama

ROOT = Path(__file__).parents[2]
STUDENT = [*SMALL, *TINY_STUDENT]
_TEACHER = ["--max_epochs=2", "--head.dim=16", "--llm_layers=0", "--batch=64"]

# What goes in, by name: the stage that makes it and its words; {name} is the run of that input.
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
}  # fmt: skip

# Entry points that are not killed, and why.
LEFT_OUT = {
    "main": "starts stages that are killed by themselves, each as a child run",
    "audit_language": "starts trainings that are killed by themselves; hours long",
    "backtest": "starts trainings that are killed by themselves, one for each step back",
    "verify": "starts a stage that is killed by itself; test_verify removes its checkout",
    "reconcile": "repairs what kills leave; a sweep does the same at its end",
    "nightly": "starts stages as main does; tests/e2e/test_nights.py kills it at random moments",
    "update": "not yet: needs prepared data that has grown",
    "watch": "not yet: needs a service that has counted requests",
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
        """Return the words of a command, with the runs it reads made and filled in."""
        return [self._filled(word) for word in KILLED[stage]]

    def _filled(self, word: str) -> str:
        for name in (*INPUTS, "llama"):
            if f"{{{name}}}" in word:
                word = word.replace(f"{{{name}}}", self.run(name))
        return word

    def run(self, name: str) -> str:
        """Return the run that is an input, made when it is first asked for."""
        if name not in self.runs:
            self.runs[name] = self._llama() if name == "llama" else self._made(*INPUTS[name])
            self._kept.write_text(json.dumps(self.runs))
        return self.runs[name]

    def _llama(self) -> str:
        folder = self.folder.parent / "llama"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return make_llama(folder)

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
