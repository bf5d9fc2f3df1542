"""A folder of finished small runs, and the commands of every stage that go on from them."""

from __future__ import annotations

import atexit
import hashlib
import importlib
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import mlflow

from recdistill.runs import stage as main_of
from tests.recipes.conftest import SMALL, TINY_STUDENT, make_llama

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
}
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
    "evaluate": ["--model_run={baseline}", *SMALL, "--seed=1"],
    "embed_items": [*SMALL, "--seed=1"],
    "sweep": [
        "--baseline_run={baseline}", "--teacher_run={table}", "--space=quick", "--n_trials=3",
        "--workers=2", "--n_startup=2", "--n_seeds=0", "--sampler=random", *SMALL, "--seed=1",
    ],
}  # fmt: skip


def import_stages() -> None:
    """Import everything once: a stage is then a fork of this process, and starts at once."""
    # A stage reaches its rooms when it runs; what they take long to import is named here.
    heavy = ["recdistill.runs._open_run", "pytorch_lightning", "transformers", "optuna", "peft"]
    for name in (*heavy, *(f"projects.{stage}" for stage in KILLED)):
        importlib.import_module(name)


def start(folder: Path, name: str, words: list[str]) -> int:
    """Start a stage in a session of its own; return the process's id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        (folder / "tmp").mkdir(exist_ok=True)
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        module = importlib.import_module(f"projects.{name}")
        main_of(module.run, module.Config, name, words)
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


@dataclass
class Workshop:
    """Inputs made as they are asked for, in one folder that trials copy."""

    folder: Path
    runs: dict[str, str] = field(default_factory=dict)

    def words(self, name: str) -> list[str]:
        """Return the words of a command, with the runs it reads made and filled in."""
        return [self._filled(word) for word in KILLED[name]]

    def _filled(self, word: str) -> str:
        for name in (*INPUTS, "llama"):
            if f"{{{name}}}" in word:
                word = word.replace(f"{{{name}}}", self._run(name))
        return word

    def _run(self, name: str) -> str:
        if name not in self.runs and name == "llama":
            folder = self.folder.parent / "llama"
            folder.mkdir()
            self.runs[name] = make_llama(folder)
        elif name not in self.runs:
            stage, words = INPUTS[name]
            filled = [self._filled(word) for word in words]
            _, status = os.waitpid(start(self.folder, stage, filled), 0)
            if status:
                raise RuntimeError((self.folder / "log.txt").read_text()[-3000:])
            self.runs[name] = newest(self.folder, stage).id
        return self.runs[name]

    def copy(self, target: Path) -> Path:
        """Copy everything but the artifacts, which runs name by where they lie."""
        self._run("baseline")  # a store that exists: making one takes longer than most stages
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("mlruns", "log.txt"))
        return target


@dataclass(frozen=True)
class Outcome:
    """A finished run as it is compared: to the last digit, and its weights to the last bit."""

    id: str
    metrics: dict[str, float]
    files: dict[str, str]


# What a clock or the machine decides.
_MEASURED = re.compile(r"^(time|memory|system)/|_(seconds?|ms|mb)$")


def newest(folder: Path, stage: str) -> Outcome:
    """Read a folder's newest finished run of a stage."""
    with sqlite3.connect(folder / "mlflow.db") as rows:
        run, place = rows.execute(
            "SELECT r.run_uuid, r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid "
            "WHERE t.key = 'stage' AND t.value = ? AND r.status = 'FINISHED' "
            "ORDER BY r.start_time DESC LIMIT 1",
            (stage,),
        ).fetchone()
        origin = rows.execute(
            "SELECT r.artifact_uri FROM runs r JOIN tags t ON t.value = r.run_uuid "
            "WHERE t.run_uuid = ? AND t.key = 'cache.hit_of'",
            (run,),
        ).fetchone()
        values = dict(
            rows.execute("SELECT key, value FROM latest_metrics WHERE run_uuid = ?", (run,))
        )
    artifacts = Path((origin[0] if origin else place).removeprefix("file://"))
    files = {
        path.relative_to(artifacts).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(artifacts.rglob("*.safetensors"))
    }
    metrics = {key: v for key, v in values.items() if not _MEASURED.search(key)}
    return Outcome(run, metrics, files)


def statuses(folder: Path) -> dict[str, str]:
    """Return the status of every run of a folder."""
    with sqlite3.connect(folder / "mlflow.db") as rows:
        return dict(rows.execute("SELECT run_uuid, status FROM runs"))


def kept_files(folder: Path) -> set[str]:
    """Name what lies in the temporary folder, and in the state but for its locks."""
    state = folder / ".recdistill"
    kept = [path for path in state.rglob("*") if path.is_file() and path.suffix != ".lock"]
    kept += [path for path in (state / "scratch").glob("*") if path.is_dir()]
    kept += list((folder / "tmp").iterdir())
    return {path.relative_to(folder).as_posix() for path in kept}


def finished_trials(folder: Path) -> int:
    """Count the trials of sweeps that the mirror shows as finished, each number once."""
    with sqlite3.connect(folder / "mlflow.db") as rows:
        return int(
            rows.execute(
                "SELECT COUNT(DISTINCT n.value) FROM tags n JOIN tags s ON s.run_uuid = n.run_uuid "
                "WHERE n.key = 'trial.number' AND s.key = 'state' "
                "AND s.value IN ('complete', 'pruned')"
            ).fetchone()[0]
        )
