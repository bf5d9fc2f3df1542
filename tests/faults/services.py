"""Kill what serves: the champion over HTTP, and the parts of the team server."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import psycopg
import requests

from tests.e2e._servers import TeamServer, environment, free_port, healthy, missing_for_team
from tests.faults.killing import WAYS, ended, remaining
from tests.faults.outcome import kept_files, remove
from tests.faults.process import start

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.faults.killing import Kill
    from tests.faults.workshop import Workshop

PATIENCE_SECONDS = 180.0
_TRAFFIC_SECONDS = 3.0


# The two programs that serve a champion, as a person starts them.
SERVERS = {
    "models serve": [
        "mlflow", "models", "serve", "--env-manager", "local", "-m", "models:/served@champion",
    ],
    "recdistill serve": [
        "recdistill", "serve", "served", "--every", "1", "--log", "requests", "--log_every", "1",
    ],
}  # fmt: skip


@dataclass(frozen=True)
class _Served:
    """What a server answers that nobody kills, when it came up, and what it left."""

    answer: Any
    seconds: float
    kept: set[str]


class ServingKills:
    """Kills of what serves a champion: started again, it must give the same answers."""

    targets = tuple(SERVERS)

    def __init__(self, folder: Path, workshop: Workshop) -> None:
        self._folder, self._workshop = folder, workshop
        self._known: dict[str, _Served] = {}

    def kill(self, done: Kill, draw: random.Random) -> None:
        """Kill the server while it comes up or answers, start it again, and ask."""
        self._workshop.run("champion")
        if done.target not in self._known:
            self._known[done.target] = self._measured(done.target)
        wanted = self._known[done.target]
        done.at_s = round(draw.uniform(0, wanted.seconds + _TRAFFIC_SECONDS), 3)
        folder, port = self._workshop.copy(self._folder / f"{done.number:05d}"), free_port()
        process, began = serve(folder, port, done.target), time.monotonic()
        while (left := began + done.at_s - time.monotonic()) > 0:
            if healthy(f"http://127.0.0.1:{port}"):
                ask(port)
            time.sleep(max(0.0, min(0.1, left)))
        done.strike(process, draw)
        if ended(process) is None:
            done.stuck.append("the killed server does not end")
        done.stuck += remaining(process)
        again = serve(folder, port, done.target)
        if not comes_up(port, again):
            done.lost.append(f"it does not come up: {(folder / 'log.txt').read_text()[-1500:]}")
        elif (answer := ask(port)) != wanted.answer:
            done.changed.append(f"it answers {answer!r}, not {wanted.answer!r}")
        done.stuck += ended_politely(again)
        done.leftovers += sorted(kept_files(folder) - wanted.kept)
        if done.holds():
            remove(folder)

    def _measured(self, program: str) -> _Served:
        folder, port = self._workshop.copy(self._folder / "reference-serve"), free_port()
        process, began = serve(folder, port, program), time.monotonic()
        if not comes_up(port, process):
            raise RuntimeError((folder / "log.txt").read_text()[-3000:])
        seconds, answer = time.monotonic() - began, ask(port)
        ended_politely(process)
        kept = kept_files(folder)
        remove(folder)
        return _Served(answer, seconds, kept)


def serve(folder: Path, port: int, program: str = "models serve") -> int:
    """Start a server as a person does."""
    words = [*SERVERS[program], "--host", "127.0.0.1", "--port", str(port)]
    env = environment(MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db", OMP_NUM_THREADS="1")

    def work() -> None:
        env["TMPDIR"] = os.environ["TMPDIR"]
        os.execve(sys.executable, [sys.executable, "-m", *words], env)  # noqa: S606

    return start(folder, work)


def comes_up(port: int, process: int) -> bool:
    """Wait until a server answers; False when it ends instead, or takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if healthy(f"http://127.0.0.1:{port}"):
            return True
        if os.waitpid(process, os.WNOHANG)[0]:
            return False
        time.sleep(0.1)
    return False


def ask(port: int, history: Sequence[str] = ("50", "181")) -> Any:
    """Ask a server for five items after a history."""
    body = {"dataframe_records": [{"history": list(history)}], "params": {"k": 5}}
    return requests.post(f"http://127.0.0.1:{port}/invocations", json=body, timeout=60).json()


def ended_politely(process: int) -> list[str]:
    """Ask a server to end; say what is left of it."""
    try:
        os.kill(process, WAYS["term"][0])
    except ProcessLookupError:
        return []
    said = [] if ended(process) is not None else ["the server does not end when asked to"]
    return said + remaining(process)


class TeamKills:
    """Kills of PostgreSQL, the object store and MLflow under a run that writes to them."""

    targets = ("postgres", "s3", "mlflow")
    _N_STEPS, _SECONDS = 60, 6.0

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="recdistill-team-"))
        self._folder.chmod(0o755)  # PostgreSQL runs as another user, who must get through
        self._server: TeamServer | None = None

    @staticmethod
    def missing() -> str:
        """Say what keeps it from running here; empty when nothing does."""
        return missing_for_team()

    def kill(self, done: Kill, draw: random.Random) -> None:
        """Kill a service under a writer, start it again, and count what the writer wrote."""
        server = self.started()
        done.at_s = round(draw.uniform(0, self._SECONDS), 3)
        folder = self._folder / f"{done.number:05d}"
        folder.mkdir()
        wrote = secrets.token_bytes(100_000)
        writer = start(folder, lambda: _write(server, wrote, self._N_STEPS, self._SECONDS))
        run_id = _when_there(folder / "run.txt")
        time.sleep(done.at_s)
        self._strike(server, done, draw)
        said = server.tracking("start", check=False)
        if said.returncode:
            done.lost.append(f"it does not start again: {said.stderr[-1500:]}")
        if (status := ended(writer)) != 0:
            done.lost.append(f"the run ended with {status}: {(folder / 'log.txt').read_text()}")
        done.stuck += remaining(writer)
        if (rows := _rows(server, run_id)) != (self._N_STEPS, "FINISHED"):
            done.lost.append(f"of {self._N_STEPS} steps and FINISHED there is {rows}")
        if (has := _artifact(server, run_id)) != wrote:
            done.changed.append(f"the artifact has {len(has)} bytes, or others")
        done.leftovers += sorted(kept_files(folder))

    def close(self) -> list[str]:
        """Stop the server; say what is left of it."""
        left = []
        if self._server:
            ports = self._server.listening()
            self._server.tracking("stop")
            left = [f"port {port} answers after stop" for port in self._server.listening()]
            sockets = Path("/tmp")
            left += [str(p) for port in ports for p in sockets.glob(f"seaweedfs-*-{port}.sock")]
        shutil.rmtree(self._folder, ignore_errors=True)
        return left

    def started(self) -> TeamServer:
        """Return the server, started when it is first asked for."""
        if self._server is None:
            self._server = TeamServer.configured(self._folder)
            self._server.tracking("start")
        return self._server

    @staticmethod
    def _strike(server: TeamServer, done: Kill, draw: random.Random) -> None:
        pid = server.process_id(done.target)
        for number in WAYS[done.way]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break
            time.sleep(draw.uniform(0, 0.3))
        time.sleep(draw.uniform(0, 2))


def _write(server: TeamServer, wrote: bytes, n_steps: int, seconds: float) -> None:
    """Be a run that keeps an artifact and then logs one metric after the other."""
    from recdistill.runs import open_run
    from tests.e2e.writer import Config

    os.environ |= server.login | {"MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false"}
    mlflow.set_tracking_uri(server.url)
    with open_run("writer", Config()) as run:
        Path("artifact.bin").write_bytes(wrote)
        run.log_artifact(Path("artifact.bin"))
        Path("run.part").write_text(run.id)
        Path("run.part").rename("run.txt")
        for step in range(n_steps):
            run.log_metrics({"m": float(step)}, step)
            time.sleep(seconds / n_steps)


def _when_there(path: Path) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(path.with_name("log.txt").read_text()[-3000:])
        time.sleep(0.05)
    return path.read_text()


def _rows(server: TeamServer, run_id: str) -> tuple[int, str]:
    """Steps and status of a run, asked of the database itself."""
    password = server.secrets["RECDISTILL_TEAM_DB_PASSWORD"]
    address = f"host=127.0.0.1 port={server.postgres_port} user=recdistill dbname=mlflow"
    asked = (
        "SELECT (SELECT count(DISTINCT step) FROM metrics WHERE run_uuid = %(run)s),"
        " (SELECT status FROM runs WHERE run_uuid = %(run)s)"
    )
    try:
        with psycopg.connect(f"{address} password={password}") as connection:
            row = connection.execute(asked, {"run": run_id}).fetchone()
    except psycopg.OperationalError as error:
        return 0, f"no answer: {error}"
    return tuple(row) if row else (0, "")


def _artifact(server: TeamServer, run_id: str) -> bytes:
    found = requests.get(
        f"{server.url}/get-artifact?path=artifact.bin&run_uuid={run_id}",
        auth=(server.admin, server.password),
        timeout=60,
    )
    return found.content
