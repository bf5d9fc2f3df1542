"""Sweeps under kills, and over two machines that share two addresses and nothing else."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _servers import ROOT, environment, free_port, running

from recdistill.data import DataConfig, prepare
from recdistill.sweeps import (
    first_attempt,
    load_study,
    open_storage,
    reconcile,
    state_of,
    study_names,
)
from recdistill.sweeps._reconcile import trial_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

pytestmark = pytest.mark.e2e

SMALL = ["--max_users=60", "--data_seed=1"]
STUDENT = ["--max_epochs=2", "--max_length=20", "--student.dim=16", "--tokens_per_batch=800"]
SWEEP = ["-m", "projects.sweep"]
# Trials of several seconds, so that a machine which joins late still finds some to do.
SPACE = """
knobs:
  listwise_weight: {range: [0.2, 3.0], log: true, zero: true}
fixed: {max_epochs: 40}
"""
COOK = """
import importlib, json, sys
from recdistill.runs import stage

for name, *words in json.loads(sys.argv[1]):
    module = importlib.import_module(f"projects.{name}")
    stage(module.run, module.Config, name, words)
"""


def test_kill_9_loses_nothing_and_doubles_nothing(store: MlflowClient, tmp_path: Path) -> None:
    import psutil

    from tests.unit.sweeps.conftest import make_hill

    hill = make_hill(store, tmp_path)
    hill.fill(24)
    tracking = f"sqlite:///{tmp_path}/mlflow.db"
    words = [hill.study.study_name, hill.url, tracking, hill.mirror.parent, str(tmp_path / "ckpt")]
    env = environment(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")
    command = [sys.executable, "-m", "tests.unit.sweeps.pool", *words, "3", "0.1"]
    draw = random.Random(7)  # noqa: S311
    sweep = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        for n_begun in (4, 9, 15):
            _wait(lambda n=n_begun: _n_begun(hill.study) >= n)
            time.sleep(draw.random() / 3)
            server = next(
                c for c in psutil.Process(sweep.pid).children() if "forkserver" in str(c.cmdline())
            )
            draw.choice(_wait(server.children)).kill()
        _wait(lambda: _n_begun(hill.study) >= 18)
        workers = psutil.Process(sweep.pid).children(recursive=True)
        sweep.kill()  # the whole sweep dies; its workers notice
        sweep.wait()
        assert not psutil.wait_procs(workers, timeout=60)[1]
        subprocess.run(command, cwd=ROOT, env=env, check=True, timeout=600)
    finally:
        sweep.kill()
    trials = hill.study.get_trials()
    done = [first_attempt(trial) for trial in trials if state_of(trial) == "complete"]
    assert sorted(done) == list(range(24)), "every place filled once"
    # A kill between two trials hits none; one that hits leaves a trial that another one stands for.
    assert "retried" in {state_of(trial) for trial in trials}
    reconcile(hill.study, hill.mirror, hill.space)
    assert not reconcile(hill.study, hill.mirror, hill.space).any()
    shown = {
        int(r.data.tags["trial.number"]): r.data.tags["state"] for r in trial_runs(hill.mirror)
    }
    assert shown == {trial.number: state_of(trial) for trial in trials}


def test_a_second_machine_joins_with_two_addresses_only(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or os.geteuid() != 0:
        pytest.skip("needs PostgreSQL's server programs and the right to change users")
    prepare(DataConfig(dataset="ml-100k"))  # neither machine can download it
    with _two_machines() as (hub, inside), _postgres(hub) as url:
        web = f"http://{hub}:{free_port()}"
        server = environment(
            MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/mlflow.db",
            MLFLOW_SERVER_ALLOWED_HOSTS="*",
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        )
        command = [
            "mlflow", "server", "--host", hub, "--port", web.rsplit(":", 1)[1], "--workers", "1",
            "--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db",
            "--artifacts-destination", str(tmp_path / "artifacts"),
        ]  # fmt: skip
        with running(command, web, tmp_path / "server.log", server, seconds=600):
            first, second = _workshop(tmp_path / "first"), _workshop(tmp_path / "second")
            stages = [
                ["train_baseline", *SMALL, *STUDENT],
                ["train_baseline", "--model=ease", *SMALL],
                ["export_teacher", "--teacher_run=ease-s0-baseline", "--folds=2", *SMALL],
            ]
            assert _start(inside[0], first, web, "-c", COOK, json.dumps(stages)).wait(900) == 0
            at = [f"--storage={url}", "--workers=1"]
            (first / "space.yaml").write_text(SPACE)
            runs = ["--baseline_run=sasrec-s0-baseline", "--space=space.yaml", "--n_seeds=0"]
            alone = ["--pruner=none", *SMALL]
            sweep = _start(inside[0], first, web, *SWEEP, "--n_trials=8", *runs, *alone, *at)
            storage = open_storage(url)
            _wait(lambda: study_names(storage))
            joined = _start(inside[1], second, web, *SWEEP, "--join=latest", *at)
            assert (joined.wait(900), sweep.wait(900)) == (0, 0)
            study, _ = load_study(study_names(storage)[0], storage)
            trials = study.get_trials()
            pools = {trial.user_attrs["worker"].split(":")[2] for trial in trials}
            assert {state_of(trial) for trial in trials} <= {"complete", "pruned"}
            assert len(trials) == 8
            assert len(pools) == 2, "both machines worked"
            assert not (second / "data").exists(), "the data came from the sweep's own run"


def _n_begun(study: object) -> int:
    return sum(state_of(trial) != "waiting" for trial in study.get_trials(deepcopy=False))  # type: ignore[attr-defined]


def _wait(happens: object, seconds: float = 600) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := happens():  # type: ignore[operator]
            return found
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def _workshop(folder: Path) -> Path:
    folder.mkdir()
    for name in ("conf", "projects"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def _start(inside: list[str], folder: Path, web: str, *words: str) -> subprocess.Popen[bytes]:
    env = environment(MLFLOW_TRACKING_URI=web, OMP_NUM_THREADS="1", PYTHONPATH=str(folder))
    return subprocess.Popen([*inside, sys.executable, *words], cwd=folder, env=env)


@contextmanager
def _two_machines() -> Iterator[tuple[str, list[list[str]]]]:
    """Two network namespaces that reach the hub's address; plain processes where that is denied."""
    names, link = [f"rd{os.getpid()}{side}" for side in "ab"], f"rdh{os.getpid()}"[:13]
    steps = [f"ip link add {link} type bridge", f"ip addr add 10.231.7.1/24 dev {link}"]
    steps += [f"ip link set {link} up"]
    for i, name in enumerate(names):
        here, there = f"{link[:11]}x{i}", f"{link[:11]}y{i}"
        steps += [
            f"ip netns add {name}", f"ip link add {here} type veth peer name {there}",
            f"ip link set {there} netns {name}", f"ip link set {here} master {link}",
            f"ip link set {here} up", f"ip -n {name} addr add 10.231.7.{i + 2}/24 dev {there}",
            f"ip -n {name} link set {there} up", f"ip -n {name} link set lo up",
        ]  # fmt: skip
    try:
        if shutil.which("ip") and all(_ok(step) for step in steps):
            yield "10.231.7.1", [["ip", "netns", "exec", name] for name in names]
        else:
            yield "127.0.0.1", [[], []]
    finally:
        for name in names:
            _ok(f"ip netns del {name}")
        _ok(f"ip link del {link}")


def _ok(step: str) -> bool:
    if not shutil.which("ip"):
        return False
    return subprocess.run(step.split(), capture_output=True, check=False).returncode == 0


@contextmanager
def _postgres(host: str) -> Iterator[str]:
    """A PostgreSQL server of this test's own; ends with it. Yields the address of a database."""
    import tempfile

    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="recdistill-pg-") as folder:
        data = Path(folder) / "data"
        shutil.chown(folder, "postgres", "postgres")
        as_user = {"user": "postgres", "cwd": "/", "capture_output": True, "check": True}
        initdb = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "--no-sync"]
        subprocess.run(initdb, **as_user)  # type: ignore[call-overload]
        with (data / "pg_hba.conf").open("a") as allowed:
            allowed.write("host all all 10.231.7.0/24 trust\n")
        options = f"-c listen_addresses={host} -c port={port} -c unix_socket_directories={folder}"
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
        subprocess.run(
            [*control, "-l", f"{folder}/log", "-o", options, "start"],
            user="postgres", cwd="/", check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            create = ["createdb", "-h", host, "-p", str(port), "-U", "postgres", "studies"]
            subprocess.run([str(programs / create[0]), *create[1:]], **as_user)  # type: ignore[call-overload]
            yield f"postgresql+psycopg://postgres@{host}:{port}/studies"
        finally:
            subprocess.run([*control, "-m", "fast", "stop"], **as_user)  # type: ignore[call-overload]
