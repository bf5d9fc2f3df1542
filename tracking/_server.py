"""The MLflow server: served artifacts, logins, allowed hosts; no telemetry, no job runner."""

from __future__ import annotations

import sys
import urllib.request
from typing import TYPE_CHECKING

from tracking import _objects
from tracking._processes import Service

if TYPE_CHECKING:
    from pathlib import Path

    from tracking._settings import Secrets, Settings

ARTIFACT_FOLDER = "artifacts"
"""Where artifacts lie inside the bucket."""


def service(settings: Settings, secrets: Secrets) -> Service:
    """Describe the server. Every secret goes by environment: command lines are public on a host."""
    here, database = settings.server, settings.postgres
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--host", here.host, "--port", str(here.port), "--workers", str(here.workers)]
    # A worker that a busy machine keeps waiting for five seconds is not dead: do not replace it.
    command += ["--uvicorn-opts", "--timeout-worker-healthcheck 120"]
    command += ["--allowed-hosts", ",".join(here.hosts), "--serve-artifacts"]
    env = {
        **_objects.environment(settings, secrets),
        "PGPASSWORD": secrets.db_password,
        "MLFLOW_BACKEND_STORE_URI": database.uri(database.databases["runs"]),
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{settings.s3.bucket}/{ARTIFACT_FOLDER}",
        "MLFLOW_AUTH_CONFIG_PATH": str(_write_login_settings(settings)),
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
    )


def client_environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return what the administrator's own programs need to log in."""
    return {
        "MLFLOW_TRACKING_URI": settings.server.url,
        "MLFLOW_TRACKING_USERNAME": settings.server.admin,
        "MLFLOW_TRACKING_PASSWORD": secrets.admin_password,
    }


def _write_login_settings(settings: Settings) -> Path:
    database = settings.postgres
    path = settings.folder / "logins.ini"
    path.write_text(
        "[mlflow]\n"
        f"default_permission = {settings.server.default_permission}\n"
        f"database_uri = {database.uri(database.databases['logins'])}\n"
        f"admin_username = {settings.server.admin}\n"
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        # A password check costs 60 ms of hashing; without remembering it every call pays.
        "auth_cache_ttl_seconds = 60\n"
    )
    path.chmod(0o600)
    return path
