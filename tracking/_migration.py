"""Move a local store (SQLite and a folder) to the team server, and count on both sides."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa

from recdistill.errors import UserError
from tracking import _objects
from tracking._server import ARTIFACT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracking._settings import Secrets, Settings

_ROWS = 2000
# What people ask about after a move. Everything else is copied and compared all the same.
_NAMED = ("experiments", "runs", "params", "metrics", "tags", "logged_models", "datasets")
_LOCATIONS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("storage_location", "source"),
}


def migrate(
    source: str, artifacts: Path, settings: Settings, secrets: Secrets
) -> dict[str, tuple[int, int]]:
    """Copy every row and artifact of a local store into the running team server.

    Parameters
    ----------
    source : address of the local store, ``sqlite:///mlflow.db``.
    artifacts : folder of artifacts that a local server kept (``mlartifacts``); runs written
        without a server carry their own folders.

    Returns
    -------
    For every table, and for ``artifacts``, the counts on both sides; equal, or this raises.

    Raises
    ------
    UserError
        When the source is missing, the target already has runs, or a count differs. The target is
        written in one transaction: after an error it is as it was.
    """
    file = Path(urlsplit(source).path.removeprefix("/"))
    if not source.startswith("sqlite:///") or not file.exists():
        raise UserError(f"There is no local store {source}; give it as sqlite:///path/to/mlflow.db")
    tables = _tables()
    old = sa.create_engine(source)
    new = sa.create_engine(
        settings.postgres.uri(settings.postgres.databases["runs"]),
        connect_args={"password": secrets.db_password},
    )
    _require_same_version(old, new, source)
    counts: dict[str, tuple[int, int]] = {}
    with old.connect() as reading, new.begin() as writing:
        if writing.execute(sa.select(sa.func.count()).select_from(tables["runs"])).scalar():
            raise UserError("The team server already has runs; only an empty one can take a store.")
        moved = _move_artifacts(reading, tables, artifacts, settings, secrets)
        for table in reversed(tables.values()):
            writing.execute(sa.delete(table))
        for table in tables.values():
            for rows in _batches(reading, table, moved):
                writing.execute(sa.insert(table), rows)
            counts[table.name] = (_count(reading, table), _count(writing, table))
        _continue_numbers(writing, tables)
        uploaded = _objects.names(settings, secrets)
        here = sum(1 for name in set(moved.files) if name in uploaded)
        counts["artifacts"] = (len(moved.files), here)
        different = {name: pair for name, pair in counts.items() if pair[0] != pair[1]}
        if different:
            raise UserError(f"The move was undone, because counts differ: {different}")
    return counts


class _Moved:
    """Which artifact folders were moved where, and the names of the objects they became."""

    def __init__(self) -> None:
        self.locations: dict[str, str] = {}
        self.files: list[str] = []


def _tables() -> dict[str, sa.Table]:
    """Every table of MLflow's store, referred-to tables first."""
    import mlflow.store.model_registry.dbmodels.models
    import mlflow.store.tracking.dbmodels.models
    import mlflow.store.workspace.dbmodels.models  # noqa: F401
    from mlflow.store.db.base_sql_model import Base

    return {table.name: table for table in Base.metadata.sorted_tables}


def _require_same_version(old: sa.Engine, new: sa.Engine, source: str) -> None:
    versions = []
    for engine in (old, new):
        with engine.connect() as connection:
            found = connection.execute(sa.text("SELECT version_num FROM alembic_version"))
            versions.append(found.scalar())
    if versions[0] != versions[1]:
        raise UserError(
            f"The two stores were written by different versions of MLflow; copy the old one and "
            f"run: mlflow db upgrade {source}"
        )


def _move_artifacts(
    reading: sa.Connection,
    tables: dict[str, sa.Table],
    artifacts: Path,
    settings: Settings,
    secrets: Secrets,
) -> _Moved:
    """Upload the folders that rows point to; each keeps its place below experiment and run."""
    store, moved = _objects.client(settings, secrets), _Moved()
    for name, columns in _LOCATIONS.items():
        table = tables[name]
        for column in columns:
            for (location,) in reading.execute(sa.select(table.c[column]).distinct()):
                place = _place(location, artifacts)
                if place is None:
                    continue
                folder, below = place
                moved.locations[location] = f"mlflow-artifacts:/{below}"
                if name == "experiments":  # holds the folders of its runs, which come themselves
                    continue
                for path in _files(folder):
                    key = f"{ARTIFACT_FOLDER}/{below}/{path.relative_to(folder).as_posix()}"
                    if key not in moved.files:
                        store.upload_file(str(path), settings.s3.bucket, key)
                        moved.files.append(key)
    return moved


def _files(folder: Path) -> list[Path]:
    """Return the files of an artifact folder.

    Raises
    ------
    UserError
        When a link leads out of it: what it points to is not of this run, and the reader's rights
        may be larger than those of whoever put it there.
    """
    inside = folder.resolve()
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in found:
        if not path.resolve().is_relative_to(inside):
            raise UserError(f"{path} is a link out of its artifact folder; remove it first.")
    return found


def _place(location: str | None, artifacts: Path) -> tuple[Path, str] | None:
    """Return the folder behind an artifact address and its place on the server; None: elsewhere."""
    if not location:
        return None
    parts = urlsplit(location)
    if parts.scheme == "mlflow-artifacts":
        below = unquote(parts.path).strip("/")
        return artifacts / below, below
    if parts.scheme in ("", "file"):
        folder = Path(unquote(parts.path))
        # .../mlruns/<experiment>[/<run>/artifacts | /models/<model>/artifacts]
        below = folder.as_posix().rpartition("/mlruns/")[2].strip("/")
        return folder, below
    return None


def _batches(
    reading: sa.Connection, table: sa.Table, moved: _Moved
) -> Iterator[list[dict[str, Any]]]:
    result = reading.execution_options(stream_results=True).execute(sa.select(table))
    for part in result.mappings().partitions(_ROWS):
        rows = [dict(row) for row in part]
        for column in _LOCATIONS.get(table.name, ()):
            for row in rows:
                row[column] = moved.locations.get(row[column], row[column])
        yield rows


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0)


def _continue_numbers(writing: sa.Connection, tables: dict[str, sa.Table]) -> None:
    """Let PostgreSQL's own counters go on after the highest number that was copied."""
    for table in tables.values():
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        if writing.execute(sa.select(sequence)).scalar():
            highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
            writing.execute(sa.select(sa.func.setval(sequence, highest, False)))


def named(counts: dict[str, tuple[int, int]]) -> list[str]:
    """Return lines of a count table, the figures that people ask about first."""
    shown = [*_NAMED, "artifacts"]
    rest = [name for name, (old, _) in counts.items() if old and name not in shown]
    return [f"{name:<28}{counts[name][0]:>10}{counts[name][1]:>10}" for name in shown + rest]
