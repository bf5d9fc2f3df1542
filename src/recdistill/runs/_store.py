"""Reaching the tracking store, and the sentences for when it cannot be reached."""

from __future__ import annotations

import errno
import logging
import os
import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import mlflow
from alembic.util import CommandError
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recdistill.runs._run import Run

_PATIENCE_SECONDS = 300
_WAITS = (1.0, 2.0, 4.0)
_OTHER_SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")
_STORE_ERRORS = (MlflowException, SQLAlchemyError, OSError)
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_DISK_OF_DATABASE = (
    "database or disk is full",
    "attempt to write a readonly database",
    "unable to open database file",
    "No space left on device",
)


def open_store() -> MlflowClient:
    """Client of the tracking store in use; UserError when it does not answer."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    for chatty in ("mlflow.system_metrics", "mlflow.pyfunc", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        with _alone(mlflow.get_tracking_uri()):
            client = _opened()
    except (MlflowException, OSError) as error:
        raise UserError(_why_not(mlflow.get_tracking_uri(), str(error))) from None
    return client


def _why_not(uri: str, reason: str) -> str:
    """Say why a store does not open, and what to do about it."""
    store = f"The tracking store {uri}"
    if found := _OTHER_SCHEMA.search(reason):
        migrations = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
        if any(migrations.glob(f"{found[1]}_*")):
            return (
                f"{store} was written by an older MLflow: make a copy of it, then run "
                f"'mlflow db upgrade {uri}', which changes it in place."
            )
        return (
            f"{store} was written by a newer MLflow than this one ({mlflow.__version__}): update "
            "this environment (make install), or name another store with MLFLOW_TRACKING_URI."
        )
    where = urlsplit(uri)
    if where.scheme in getproxies() and where.hostname and not proxy_bypass(where.hostname):
        return (
            f"{store} does not answer through the proxy that {where.scheme.upper()}_PROXY names: "
            f"where the server is inside, set NO_PROXY={where.hostname}; else start it, or set "
            "MLFLOW_TRACKING_URI."
        )
    said = reason.splitlines()[0][:300].rstrip(".")
    return (
        f"{store} cannot be used: {said}. Start the server (make ui or make server) or set "
        "MLFLOW_TRACKING_URI."
    )


def chosen_experiment(client: MlflowClient) -> str:
    """Id of the experiment that the environment names; one chosen by name is made when missing."""
    if chosen := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        try:
            return str(client.get_experiment(chosen).experiment_id)
        except MlflowException:
            raise UserError(
                f"MLFLOW_EXPERIMENT_ID is {chosen}, but the tracking store "
                f"{mlflow.get_tracking_uri()} has no such experiment. Unset it, or name the "
                "experiment with MLFLOW_EXPERIMENT_NAME: that one is created when missing."
            ) from None
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "Default")
    if not (found := client.get_experiment_by_name(name)):
        # Several workers may ask for the same new name at once; all but one are refused.
        with suppress(MlflowException):
            return str(client.create_experiment(name))
        found = client.get_experiment_by_name(name)
    if found is None or found.lifecycle_stage != "active":
        raise UserError(
            f"The experiment {name!r} cannot be used: it was deleted, or its name is refused by "
            f"{mlflow.get_tracking_uri()}. Restore it (mlflow experiments restore) or choose "
            "another name with MLFLOW_EXPERIMENT_NAME."
        )
    return str(found.experiment_id)


def store_or_disk_fault(run: Run, error: BaseException) -> UserError | None:
    """Return the sentence for an error that the store or a disk caused; None for any other."""
    text = str(error)
    if isinstance(error, OSError) and error.errno in _DISK:
        place = f" ({error.filename})" if error.filename else ""
        what = f"A disk does not take what run {run.id} writes: {os.strerror(error.errno)}{place}"
    elif any(words in text for words in _DISK_OF_DATABASE):
        reason = next(words for words in _DISK_OF_DATABASE if words in text)
        what = f"The tracking store {mlflow.get_tracking_uri()} cannot write run {run.id}: {reason}"
    elif isinstance(error, _STORE_ERRORS) and not _answers(run):
        what = (
            f"The tracking store {mlflow.get_tracking_uri()} went away in the middle of run "
            f"{run.id} ({text.splitlines()[0][:200]})"
        )
    else:
        return None
    return UserError(
        f"{what}. Start the same command again when that is mended: what was trained is kept and "
        "goes on from there."
    )


def _answers(run: Run) -> bool:
    try:
        run.client.get_run(run.id)
    except _STORE_ERRORS:
        return False
    return True


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Let one process at a time open a store in a file: the first one makes its tables."""
    path = uri.removeprefix("sqlite:///").partition("?")[0]
    if path == uri or not path:
        yield
        return
    with FileLock(f"{path}.lock", timeout=_PATIENCE_SECONDS):
        yield


def _opened() -> MlflowClient:
    """Open the store; one that another program is making right now is asked again."""
    by_http = mlflow.get_tracking_uri().startswith("http")  # which has its own patience
    for wait in (*([] if by_http else _WAITS), None):
        try:
            client = MlflowClient()
            client.search_experiments(max_results=1)
        except (MlflowException, SQLAlchemyError, CommandError) as error:
            if wait is None:
                raise error if isinstance(error, MlflowException) else OSError(str(error)) from None
            time.sleep(wait)
        else:
            return client
    raise AssertionError("unreachable")
