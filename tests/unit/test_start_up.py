"""Who waits for nothing it does not need: imports are guarded here, seconds are benchmarked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from recdistill.config import home

if TYPE_CHECKING:
    from pathlib import Path

TRAINING = ("pytorch_lightning", "transformers", "peft", "optuna", "sklearn")
HEAVY = ("torch", "mlflow", *TRAINING)
CHECKOUT = os.pathsep.join([str(home() / "src"), str(home())])
STAGES = sorted(path.stem for path in (home() / "projects").glob("[a-z]*.py"))

# Runs a stage as `python -m` does, then says on standard error which of the named modules it has.
_PROGRAM = """
import atexit, runpy, sys
watched, module, absent = sys.argv[1].split(","), sys.argv[2], sys.argv[3].split(",")
atexit.register(lambda: print("HAS", *(m for m in watched if m in sys.modules), file=sys.stderr))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv = [module, *sys.argv[4:]]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def start(
    module: str, *words: str, where: Path | None = None, absent: str = ""
) -> tuple[int, set[str], str]:
    """Return the status, the watched modules that were imported, and all that was printed."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, ",".join(HEAVY), module, absent, *words],
        capture_output=True, text=True, check=False, cwd=where,
        env=os.environ | {"PYTHONPATH": CHECKOUT},
    )  # fmt: skip
    *said, has = done.stderr.rstrip().rpartition("HAS")
    return done.returncode, set(has.split()), done.stdout + "".join(said)


@pytest.mark.parametrize("stage", STAGES)
def test_a_mistyped_setting_is_refused_before_anything_heavy(stage: str, tmp_path: Path) -> None:
    status, imported, said = start(f"projects.{stage}", "--sede=1", where=tmp_path)
    assert (status, imported) == (2, set()), said
    assert "'sede' is no parameter" in said


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    status, imported, said = start("projects.distill", "--help", where=tmp_path)
    assert (status, imported) == (0, set()), said
    assert "--listwise_weight" in said


@pytest.mark.slow
def test_floors_are_trained_evaluated_and_compared_without_training_libraries(
    tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    floor = ("--dataset=ml-100k", "--max_users=60", "--model=popularity,markov")
    status, imported, said = start("projects.train_baseline", *floor, where=tmp_path)
    assert (status, imported) == (0, {"torch", "mlflow"}), said
    status, imported, said = start("projects.train_baseline", *floor, where=tmp_path)
    assert (status, imported) == (0, {"mlflow"}), said
    assert "nothing to compute" in said
    status, imported, said = start("projects.evaluate", "--dataset=ml-100k", "--max_users=60",
                                   where=tmp_path)  # fmt: skip
    assert (status, imported) == (0, {"torch", "mlflow"}), said

    # Neither is torch needed to compare what a store holds, nor to look at it.
    without = ",".join(("torch", *TRAINING))
    status, imported, said = start("projects.compare", where=tmp_path, absent=without)
    assert (status, imported) == (0, {"mlflow"}), said
    status, imported, said = start("recdistill", "runs", where=tmp_path, absent=without)
    assert (status, imported) == (0, {"mlflow"}), said
    assert "popularity" in said


@pytest.mark.parametrize(("chosen", "expected"), [("", "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_of_a_stage_wait_without_spinning(chosen: str, expected: str) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"PYTHONPATH": CHECKOUT} | ({"OMP_WAIT_POLICY": chosen} if chosen else {})
    asked = "import os, projects, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", asked], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [expected, "False"]


# Starts as `python -m projects.<stage>` does; the stage says what the collector of garbage does.
_COLLECTOR = """
import gc, sys
sys.argv = ["-m"]
import projects
from dataclasses import dataclass
from recdistill.runs import stage

@dataclass(frozen=True)
class Config:
    seed: int = 0

def run(config, run):
    print("WITHIN", gc.isenabled(), gc.get_freeze_count() > 0)

print("BEFORE", gc.isenabled())
stage(run, Config, "trial", [])
"""


@pytest.mark.slow
def test_a_stage_starts_without_searching_for_garbage_and_computes_with_it(
    tmp_path: Path, empty_database: Path
) -> None:
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    done = subprocess.run(
        [sys.executable, "-c", _COLLECTOR], cwd=tmp_path, capture_output=True, text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": CHECKOUT,
                          "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
    )  # fmt: skip
    assert "BEFORE False" in done.stdout
    assert "WITHIN True True" in done.stdout
