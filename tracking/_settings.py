"""What the team server is told: one YAML file for the plain facts, the environment for secrets."""

from __future__ import annotations

import dataclasses
import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from recdistill.errors import UserError

DEFAULT_FILE = Path(__file__).with_name("team.yaml")
SHORTEST_SECRET = 16
SECRETS_PREFIX = "RECDISTILL_TEAM_"
# Fragments of the values that documentation and compose files of this world ship with.
_DEFAULTS = ("password", "changeme", "change-me", "secret", "mlflow", "minio", "admin", "12345")


@dataclass(frozen=True)
class Server:
    """The MLflow server."""

    host: str = "127.0.0.1"
    port: int = 5001
    allowed_hosts: list[str] = field(default_factory=list)
    workers: int = 2
    default_permission: str = "READ"
    admin: str = "admin"
    system_user: str = ""
    trusted_proxies: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers on this machine."""
        return f"http://{self.host}:{self.port}"

    @property
    def hosts(self) -> list[str]:
        """The Host headers it accepts."""
        own = [f"{self.host}:{self.port}", f"localhost:{self.port}"]
        return self.allowed_hosts or own


@dataclass(frozen=True)
class Postgres:
    """The database server."""

    start: bool = True
    host: str = "127.0.0.1"
    port: int = 5433
    user: str = "recdistill"
    system_user: str = "postgres"
    databases: dict[str, str] = field(
        default_factory=lambda: {"runs": "mlflow", "logins": "mlflow_auth", "optuna": "optuna"}
    )

    def uri(self, database: str) -> str:
        """Address of a database for SQLAlchemy; the password is read from PGPASSWORD."""
        return f"postgresql+psycopg://{self.user}@{self.host}:{self.port}/{database}"


@dataclass(frozen=True)
class S3:
    """The object store."""

    start: bool = True
    endpoint: str = "http://127.0.0.1:8333"
    bucket: str = "recdistill"
    internal_port: int = 8340


@dataclass(frozen=True)
class Retention:
    """Which runs stay."""

    metric: str = "test/recall_at_10"
    keep_last: int = 1


@dataclass(frozen=True)
class Secrets:
    """The five secrets, each of its own environment variable."""

    db_password: str = field(repr=False)
    admin_password: str = field(repr=False)
    session_key: str = field(repr=False)
    s3_key: str = field(repr=False)
    s3_secret: str = field(repr=False)

    @staticmethod
    def variable(name: str) -> str:
        """Return the environment variable that holds the secret ``name``."""
        return SECRETS_PREFIX + name.upper()

    @classmethod
    def from_environment(cls) -> Secrets:
        """Read all five.

        Raises
        ------
        UserError
            Naming every variable that is missing, too short or a well-known default.
        """
        wrong, found = [], {}
        for entry in dataclasses.fields(cls):
            variable = cls.variable(entry.name)
            value = found[entry.name] = os.environ.get(variable, "")
            if not value:
                wrong.append(f"{variable} is missing")
            elif len(value) < SHORTEST_SECRET:
                wrong.append(f"{variable} has fewer than {SHORTEST_SECRET} characters")
            elif any(word in value.lower() for word in _DEFAULTS) or len(set(value)) < 6:
                wrong.append(f"{variable} is a value that anybody would try")
        if wrong:
            raise UserError(
                "The team server does not start without good secrets: " + "; ".join(wrong) + ". "
                "Fresh ones: python -m tracking secrets > .env && set -a && . ./.env && set +a"
            )
        return cls(**found)


def fresh_secrets() -> str:
    """Return new random secrets as lines for a ``.env`` file."""
    lines = []
    for entry in dataclasses.fields(Secrets):
        value = secrets.token_hex(24)
        while any(word in value for word in _DEFAULTS):
            value = secrets.token_hex(24)
        lines.append(f"{Secrets.variable(entry.name)}={value}")
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Settings:
    """Everything in ``team.yaml``."""

    folder: Path
    server: Server
    postgres: Postgres
    s3: S3
    retention: Retention


_SECTIONS = {"server": Server, "postgres": Postgres, "s3": S3, "retention": Retention}


def load(path: Path) -> Settings:
    """Read the settings file.

    Raises
    ------
    UserError
        When it cannot be read, or says something unknown.
    """
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"The settings file {path} cannot be read: {error}") from None
    unknown = set(content) - set(_SECTIONS) - {"folder"}
    if unknown:
        raise UserError(f"{path} has an unknown section '{sorted(unknown)[0]}'.")
    sections = {name: _section(path, name, kind, content) for name, kind in _SECTIONS.items()}
    settings = Settings(Path(content.get("folder", ".recdistill/team")).absolute(), **sections)
    for name in (*settings.postgres.databases.values(), settings.postgres.user):
        if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
            raise UserError(f"{path}: '{name}' must be lower-case letters, digits, underscores.")
    return settings


def _section(path: Path, name: str, kind: type[Any], content: dict[str, Any]) -> Any:
    values = content.get(name) or {}
    known = {entry.name for entry in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            raise UserError(f"{path} says {name}.{key}; known are {', '.join(sorted(known))}.")
    return kind(**values)
