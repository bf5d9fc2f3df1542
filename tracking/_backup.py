"""A backup is a folder: one dump for each database, every object, and a list of what must be in it.

Databases are dumped before objects are copied, so whatever a dumped run points to is in the copy.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import TYPE_CHECKING

from recdistill.errors import UserError
from tracking import _objects, _postgres

if TYPE_CHECKING:
    from pathlib import Path

    from tracking._settings import Secrets, Settings

_COUNTED = ("experiments", "runs", "params", "metrics", "tags")


def backup(settings: Settings, secrets: Secrets, folder: Path) -> Path:
    """Write a backup of the running server to a new folder below ``folder`` and return it.

    Raises
    ------
    UserError
        When a dump or a download fails; an unfinished backup keeps the ending ``.partial``.
    """
    stamp = time.strftime("%Y-%m-%d-%H%M%S")
    partial, finished = folder / f"{stamp}.partial", folder / stamp
    (partial / "objects").mkdir(parents=True)
    partial.chmod(0o700)  # it holds password hashes
    counts = count_rows(settings, secrets)
    for name in settings.postgres.databases.values():
        _run_program(settings, secrets, "pg_dump", "-Fc", "-f", str(partial / f"{name}.dump"), name)
    store, sizes = _objects.client(settings, secrets), _objects.names(settings, secrets)
    for key in sizes:
        target = _below(partial / "objects", key)
        target.parent.mkdir(parents=True, exist_ok=True)
        store.download_file(settings.s3.bucket, key, str(target))
    record = {"written": stamp, "at_least": counts, "objects": sizes}
    (partial / "backup.json").write_text(json.dumps(record, indent=1))
    partial.rename(finished)
    return finished


def restore(settings: Settings, secrets: Secrets, folder: Path) -> dict[str, int]:
    """Fill an empty server from a backup; return the counts found afterwards.

    Raises
    ------
    UserError
        When the folder is no finished backup, the server has runs already, or something is missing
        afterwards.
    """
    try:
        record = json.loads((folder / "backup.json").read_text())
    except (OSError, ValueError):
        raise UserError(f"{folder} is not a finished backup: it has no backup.json.") from None
    if count_rows(settings, secrets).get("runs"):
        raise UserError("This server has runs already; a backup is restored into an empty one.")
    for name in settings.postgres.databases.values():
        dump = str(folder / f"{name}.dump")
        words = ("--clean", "--if-exists", "--no-owner", "--single-transaction", "-d", name, dump)
        _run_program(settings, secrets, "pg_restore", *words)
    store = _objects.client(settings, secrets)
    for key in record["objects"]:
        store.upload_file(str(_below(folder / "objects", key)), settings.s3.bucket, key)
    counts, sizes = count_rows(settings, secrets), _objects.names(settings, secrets)
    missing = [name for name, least in record["at_least"].items() if counts.get(name, 0) < least]
    missing += [key for key, size in record["objects"].items() if sizes.get(key) != size]
    if missing:
        raise UserError(f"After the restore something is missing: {', '.join(missing[:10])}.")
    return {**counts, "objects": len(record["objects"])}


def _below(folder: Path, key: str) -> Path:
    """Return the place of an object in a backup; no name and no link leads out of the folder."""
    path = folder / key
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"The object '{key}' lies outside the backup's folder {folder}.")
    return path


def count_rows(settings: Settings, secrets: Secrets) -> dict[str, int]:
    """Count what the runs' database holds; empty before MLflow has made its tables."""
    with _postgres.connect(settings, secrets, settings.postgres.databases["runs"]) as connection:
        if connection.execute("SELECT to_regclass('runs')").fetchone() == (None,):
            return {}
        counts = {}
        for table in _COUNTED:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            counts[table] = int(row[0]) if row else 0
        return counts


def _run_program(settings: Settings, secrets: Secrets, name: str, *words: str) -> None:
    here = settings.postgres
    command = [_postgres.program(name), "-h", here.host, "-p", str(here.port), "-U", here.user]
    done = subprocess.run(
        [*command, *words],
        env={**os.environ, "PGPASSWORD": secrets.db_password},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UserError(f"{name} failed: {done.stderr.strip().splitlines()[-1]}")
