"""The database that holds the studies: SQLite for one machine, PostgreSQL for many."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage

from recdistill.errors import UserError
from recdistill.sweeps._address import parsed, shown

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

_WAIT_SECONDS = 60
# What those read who open an empty database while somebody else is making its tables.
_N_ATTEMPTS, _RACE = 10, ("already exists", "duplicate key", "UNIQUE constraint", "no such table")


def open_storage(url: str, *, heartbeat_seconds: int = 20, grace_seconds: int = 0) -> BaseStorage:
    """Open the database at ``url``, making its tables when it is empty.

    Every worker records a heartbeat; a trial without one for ``grace_seconds`` (0: three
    heartbeats) is dead and is tried again.

    SQLite takes its write lock at the start of every transaction. Otherwise two workers that read
    "this trial waits" at the same moment would both take it, since SQLite has no row locks.

    Raises
    ------
    UserError
        When the address cannot be understood or the database cannot be reached.
    """
    address = parsed(url)
    sqlite = address.get_backend_name() == "sqlite"
    engine: dict[str, Any] = {"pool_pre_ping": True}
    if sqlite:
        engine["connect_args"] = {"timeout": _WAIT_SECONDS}
        if address.database:
            Path(address.database).absolute().parent.mkdir(parents=True, exist_ok=True)
    elif address.get_backend_name() == "postgresql":
        engine["connect_args"] = {"connect_timeout": 10}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for attempt in range(_N_ATTEMPTS):
        try:
            if sqlite:
                _use_write_ahead_log(url)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                storage = RDBStorage(
                    url,
                    engine_kwargs=engine,
                    heartbeat_interval=heartbeat_seconds,
                    grace_period=grace_seconds or 3 * heartbeat_seconds,
                )
            break
        except (sqlalchemy.exc.SQLAlchemyError, ImportError, OSError, RuntimeError) as error:
            reason = str(error.__cause__ or error).strip().splitlines()[0][:200]
            if attempt + 1 < _N_ATTEMPTS and any(words in reason for words in _RACE):
                time.sleep(1)
                continue
            raise UserError(
                f"The study storage {shown(url)} cannot be opened ({reason}); check that it runs "
                "and that the address is right (storage=postgresql://user@host/database)."
            ) from None
    if sqlite:
        _lock_on_begin(storage.engine)
    return optuna.storages.get_storage(storage)


def _use_write_ahead_log(url: str) -> None:
    """Let readers (the dashboard) read while a worker writes; the file remembers the mode."""
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": _WAIT_SECONDS})
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    engine.dispose()


def _lock_on_begin(engine: sqlalchemy.Engine) -> None:
    @sqlalchemy.event.listens_for(engine, "connect")
    def plain(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # or the driver begins transactions of its own
        connection.execute("PRAGMA synchronous=NORMAL")

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    engine.dispose()
