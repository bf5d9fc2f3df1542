"""A built wheel, installed far from any checkout, runs the demo's stages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pictures import terminal

if TYPE_CHECKING:
    from _browser import Browser
    from mlflow import MlflowClient

pytest.importorskip("hatchling", reason="building the wheel takes hatchling (extra dev)")

ROOT = Path(__file__).parents[2]
SMALL = ["--max_users=60", "--data_seed=1"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a fresh environment's programs: our wheel, and the libraries of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    wheel = next(folder.glob("recdistill-*.whl"))
    environment = folder / "venv"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    libraries = next(environment.glob("lib/python*/site-packages")) / "libraries.pth"
    libraries.write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def run(installed: Path, folder: Path, *words: str) -> str:
    """Run the command in a folder that holds nothing of the project."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    store = f"sqlite:///{folder}/mlflow.db"
    done = subprocess.run(
        [str(installed / "recdistill"), *words],
        env=kept | {"MLFLOW_TRACKING_URI": store},
        cwd=folder, capture_output=True, text=True, check=False, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_menu_and_the_settings_come_with_the_wheel(installed: Path, tmp_path: Path) -> None:
    shown = run(installed, tmp_path, "--help")
    assert "train_baseline" in shown
    assert str(installed.parent) in shown.splitlines()[-1]
    assert str(ROOT) not in shown


@dataclass(frozen=True)
class Demo:
    printed: str
    folder: Path
    store: MlflowClient


@pytest.fixture(scope="module")
def demo(installed: Path, empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Its smallest form, in a folder and a store of its own."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(empty_database, folder / "mlflow.db")
    few = [
        "--with_students=false",
        "--floors=[counter]",
        "--n_seeds=1",
        "--model=gru4rec",
        "--with_teacher=false",
    ]
    words = ("main", "--preset=quick", *SMALL, *few)
    printed = run(installed, folder, *words)
    return Demo(printed, folder, MlflowClient(f"sqlite:///{folder}/mlflow.db"))


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel(demo: Demo) -> None:
    runs = {r.data.tags["stage"]: r for r in demo.store.search_runs(["0"])}
    assert set(runs) == {"main", "prepare_data", "train_baseline", "compare"}
    assert {r.info.status for r in runs.values()} == {"FINISHED"}
    assert "counter" in demo.printed
    assert (demo.folder / "data").is_dir()
    assert "mlflow server --app-name recdistill" in demo.printed


@pytest.mark.slow
def test_what_it_prints_fits_on_a_screen(demo: Demo, browser: Browser, tmp_path: Path) -> None:
    lines = terminal(browser, demo.printed, tmp_path, command="recdistill main --preset=quick")
    assert 10 < len(lines) <= 60
    assert max(map(len, lines)) <= 250  # the widest line is an address
