"""The address of the studies' database, as users write it; read without optuna."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

STORAGE_VARIABLE = "RECDISTILL_STORAGE"
"""Names the studies' database for a whole shell; the one place for an address with a password."""


def storage_url(given: str) -> str:
    """Return where the studies lie: as given, else by the variable, else a file in this folder."""
    return given or os.environ.get(STORAGE_VARIABLE, "") or "sqlite:///studies.db"


def require_no_password(storage: str) -> None:
    """Refuse an address that MLflow would show to everybody, password and all.

    Raises
    ------
    UserError
    """
    if storage and parsed(storage).password:
        raise UserError(
            "storage carries a password, which MLflow would show to everybody: leave it out and "
            f"set PGPASSWORD, or put the whole address into the variable {STORAGE_VARIABLE}."
        )


def shown(url: str) -> str:
    """Return the address as it may be shown: without its password."""
    return parsed(url).render_as_string(hide_password=True)


def parsed(url: str) -> URL:
    """Understand an address; a sentence says which is none."""
    # Here: without an address there is nothing to understand.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except ArgumentError:
        raise UserError(
            "storage is no database address; write sqlite:///studies.db or "
            "postgresql://user@host/database."
        ) from None
