"""PostgreSQL as a service of ours: a data folder of its own, one address, passwords always."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from recdistill.errors import UserError
from tracking._processes import Service
from tracking._users import as_user, give, write_for

if TYPE_CHECKING:
    from tracking._settings import Secrets, Settings


def program(name: str) -> str:
    """Return the path of a PostgreSQL program; Debian keeps the server's ones off the path.

    Raises
    ------
    UserError
        When PostgreSQL is not installed.
    """
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version)
    found = str(candidates[-1]) if candidates else shutil.which(name)
    if not found:
        raise UserError(
            f"PostgreSQL's '{name}' is not on this machine; install it (apt-get install "
            "postgresql) or set postgres.start to false and name a server that is there."
        )
    return found


def _version(path: Path) -> float:
    return float(path.parts[-3])


def connect(settings: Settings, secrets: Secrets, database: str) -> psycopg.Connection:
    """Open a connection, waiting at most five seconds."""
    here = settings.postgres
    return psycopg.connect(
        host=here.host,
        port=here.port,
        user=here.user,
        password=secrets.db_password,
        dbname=database,
        connect_timeout=5,
        autocommit=True,
    )


def service(settings: Settings, secrets: Secrets) -> Service:
    """Describe the database server; it listens on its one TCP address and on no socket file."""
    here = settings.postgres
    data = settings.folder / "postgres"
    options = {
        "listen_addresses": here.host,
        "port": here.port,
        "unix_socket_directories": "",
        "max_connections": 200,
    }
    command = [program("postgres"), "-D", str(data)]
    for key, value in options.items():
        command += ["-c", f"{key}={value}"]
    return Service(
        "postgres",
        command,
        settings.folder,
        ready=lambda: connect(settings, secrets, "postgres").close(),
        ports=[here.port],
        identity=as_user(here.system_user, data),
        home=data,
        goodbye=signal.SIGINT,  # PostgreSQL's fast shutdown: ends clients, keeps every commit
    )


def create_cluster(settings: Settings, secrets: Secrets) -> None:
    """Make the data folder on the first start; later starts leave it alone."""
    data = settings.folder / "postgres"
    if (data / "PG_VERSION").exists():
        return
    identity = as_user(settings.postgres.system_user, data)
    give(data, identity)
    password = write_for(settings.folder / "postgres.password", secrets.db_password, identity)
    command = [program("initdb"), "-D", str(data), "-U", settings.postgres.user]
    command += ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
    command += ["--locale=C.UTF-8", "--data-checksums"]
    try:
        done = subprocess.run(
            command, cwd="/", capture_output=True, text=True, check=False, **identity
        )
    finally:
        password.unlink()
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else done.stdout[-300:]
        hint = f" Can user '{settings.postgres.system_user}' enter {settings.folder}?"
        raise UserError(f"PostgreSQL could not set up {data}: {reason}.{hint if identity else ''}")


def create_databases(settings: Settings, secrets: Secrets) -> None:
    """Create the databases that are not there yet."""
    with connect(settings, secrets, "postgres") as connection:
        present = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        for name in settings.postgres.databases.values():
            if name not in present:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
