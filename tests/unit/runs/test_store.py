"""A store that does not open says why in one sentence, and what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pytest

from recdistill.errors import UserError
from recdistill.runs import _store as stores
from recdistill.runs import open_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

MIGRATIONS = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
OLD = sorted(path.name.split("_")[0] for path in MIGRATIONS.glob("[0-9a-f]*_*.py"))[0]


@pytest.mark.parametrize(
    ("revision", "words"),
    [(OLD, "written by an older MLflow.*'mlflow db upgrade sqlite:"), ("f" * 12, "a newer MLflow")],
)
def test_a_store_of_another_version_says_which_way(
    store: MlflowClient, monkeypatch: pytest.MonkeyPatch, revision: str, words: str
) -> None:
    del store
    database = Path("other.db")
    database.write_bytes(Path("mlflow.db").read_bytes())
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    monkeypatch.setattr(stores, "_WAITS", ())  # for one that another process is making
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{database.absolute()}")
    try:
        with pytest.raises(UserError, match=words):
            open_store()
    finally:
        mlflow.set_tracking_uri(before)


def test_a_proxy_in_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    said = stores._why_not("http://mlflow.inside:5000", "refused")
    assert "set NO_PROXY=mlflow.inside" in said
    monkeypatch.setenv("NO_PROXY", "mlflow.inside")
    assert "proxy" not in stores._why_not("http://mlflow.inside:5000", "refused")
    assert "proxy" not in stores._why_not("sqlite:///mlflow.db", "refused")
