"""The MLflow server as a service: served artifacts, logins, allowed hosts; no telemetry."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

from tracking import _objects
from tracking._processes import Service
from tracking._users import as_user, give, python_for, write_for

if TYPE_CHECKING:
    from tracking._settings import Secrets, Settings

ARTIFACT_FOLDER = "artifacts"
"""Where artifacts lie inside the bucket."""


def service(settings: Settings, secrets: Secrets) -> Service:
    """Describe the server. Every secret goes by environment: command lines are public on a host."""
    here, database = settings.server, settings.postgres
    home = settings.folder / "mlflow"
    identity = as_user(here.system_user, home)
    command = ["-m", "tracking._web", "--host", here.host, "--port", str(here.port)]
    command += ["--workers", str(here.workers), "--allowed-hosts", ",".join(here.hosts)]
    command += ["--trusted-proxies", ",".join(here.trusted_proxies)]
    env = {
        **_objects.environment(settings, secrets),
        "PGPASSWORD": secrets.db_password,
        "MLFLOW_BACKEND_STORE_URI": database.uri(database.databases["runs"]),
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{settings.s3.bucket}/{ARTIFACT_FOLDER}",
        "MLFLOW_AUTH_CONFIG_PATH": str(settings.folder / "logins.ini"),
        "MLFLOW_AUTH_ADMIN_PASSWORD": secrets.admin_password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.session_key,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_TRACKING_URI": "",
    }
    return Service(
        "mlflow",
        command,
        settings.folder,
        ready=lambda: urllib.request.urlopen(f"{here.url}/health", timeout=3).close(),  # noqa: S310
        ports=[here.port],
        env=env,
        identity=identity,
        home=home,
    )


def prepare(settings: Settings, server: Service) -> None:
    """Make the server's folder, find its Python, write the file by which it finds its logins."""
    python, sources = python_for(server.identity)
    server.command = [python, *server.command]
    server.env |= sources
    give(settings.folder / "mlflow", server.identity)
    database, here = settings.postgres, settings.server
    text = (
        "[mlflow]\n"
        f"default_permission = {here.default_permission}\n"
        f"database_uri = {database.uri(database.databases['logins'])}\n"
        f"admin_username = {here.admin}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        # A password check costs 60 ms of hashing; without remembering it every call pays.
        "auth_cache_ttl_seconds = 60\n"
    )
    write_for(settings.folder / "logins.ini", text, server.identity)
