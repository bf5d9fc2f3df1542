"""Moving a local store to the team server, backing it up, restoring it, keeping what matters."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from _servers import TeamServer, missing_for_team
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, ViewType

from recdistill.errors import UserError
from tracking import _backup, _migration

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_for_team()), reason=missing_for_team() or "-"),
]

RECALLS = {"weak": 0.10, "best": 0.25, "teacher": 0.05, "middle": 0.15, "last": 0.12}
STEPS = 50


@pytest.fixture(scope="module")
def local_store(empty_database: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A store as people have it before they need a server: SQLite and folders."""
    with tempfile.TemporaryDirectory(prefix="recdistill-local-") as name:
        folder = Path(name)
        shutil.copy(empty_database, folder / "mlflow.db")
        uri = f"sqlite:///{folder}/mlflow.db"
        client = MlflowClient(uri)
        experiment_id = client.create_experiment("ml-100k", (folder / "mlruns" / "1").as_uri())
        runs: dict[str, str] = {}
        for number, (run_name, recall) in enumerate(RECALLS.items()):
            run = client.create_run(
                experiment_id, 1000 + number, {"stage": "distill"}, run_name=run_name
            )
            runs[run_name] = run.info.run_id
            series = [Metric("train/loss", 1 / (s + 1), s, s) for s in range(STEPS)]
            series.append(Metric("test/recall_at_10", recall, 1, 0))
            client.log_batch(runs[run_name], series, [Param("config.seed", str(number))])
            client.log_text(runs[run_name], run_name * 1000, "evaluation/table.txt")
            client.set_terminated(runs[run_name])
        client.set_tag(runs["best"], "teacher_run_id", runs["teacher"])
        yield uri, runs


@pytest.fixture(scope="module")
def moved(local_store: tuple[str, dict[str, str]]) -> Iterator[tuple[TeamServer, str]]:
    """A team server that took over the local store, and what the move printed."""
    with tempfile.TemporaryDirectory(prefix="recdistill-team-") as name:
        Path(name).chmod(0o755)
        server = TeamServer.configured(Path(name))
        try:
            server.tracking("start")
            yield server, server.tracking("migrate", "--store", local_store[0]).stdout
        finally:
            server.tracking("stop")


@pytest.fixture
def client(moved: tuple[TeamServer, str], monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    for key, value in moved[0].login.items():
        monkeypatch.setenv(key, value)
    return MlflowClient(moved[0].url)


def test_move_counts_the_same_on_both_sides(
    moved: tuple[TeamServer, str], local_store: tuple[str, dict[str, str]]
) -> None:
    counted = {line.split()[0]: line.split()[1:] for line in moved[1].splitlines()[1:]}
    n_metrics = len(RECALLS) * (STEPS + 1)
    assert counted["runs"] == [str(len(RECALLS))] * 2
    assert counted["metrics"] == [str(n_metrics)] * 2
    assert counted["artifacts"] == [str(len(RECALLS))] * 2
    assert _counts(moved[0]) == (len(RECALLS), n_metrics)


def test_moved_run_is_whole_and_new_runs_go_on(
    client: MlflowClient, local_store: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    run_id = local_store[1]["best"]
    history = client.get_metric_history(run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(s, 1 / (s + 1)) for s in range(STEPS)]
    assert client.get_run(run_id).data.params == {"config.seed": "1"}
    path = client.download_artifacts(run_id, "evaluation/table.txt", str(tmp_path))
    assert Path(path).read_text() == "best" * 1000
    fresh = client.create_experiment("after the move")  # its number must not collide
    client.delete_experiment(fresh)


def test_a_link_out_of_an_artifact_folder_is_not_moved(
    moved: tuple[TeamServer, str], tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("of the administrator")
    folder = tmp_path / "mlruns" / "1" / "run" / "artifacts"
    folder.mkdir(parents=True)
    (folder / "inside.txt").write_text("fine")
    (folder / "same.txt").symlink_to(folder / "inside.txt")
    assert [path.name for path in _migration._files(folder)] == ["inside.txt", "same.txt"]
    (folder / "link.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(UserError, match="link out of its artifact folder"):
        _migration._files(folder)
    with pytest.raises(UserError, match="outside the backup's folder"):
        _backup._below(folder, "../../../../secret")


def test_second_move_is_refused(
    moved: tuple[TeamServer, str], local_store: tuple[str, dict[str, str]]
) -> None:
    refused = moved[0].tracking("migrate", "--store", local_store[0], check=False)
    assert refused.returncode == 2
    assert "already has runs" in refused.stderr


def test_backup_fills_another_server(moved: tuple[TeamServer, str], tmp_path: Path) -> None:
    written = Path(moved[0].tracking("backup", str(tmp_path)).stdout.split(": ")[1].strip())
    refused = moved[0].tracking("restore", str(written), check=False)
    assert "has runs already" in refused.stderr
    with tempfile.TemporaryDirectory(prefix="recdistill-team-") as name:
        Path(name).chmod(0o755)
        other = TeamServer.configured(Path(name))
        try:
            said = other.tracking("restore", str(written)).stdout
            assert f"{len(RECALLS)} runs" in said
            assert f"{len(RECALLS)} objects" in said
            assert _counts(other) == _counts(moved[0])
        finally:
            other.tracking("stop")


def test_retention_shows_first_and_keeps_best_last_and_their_teacher(
    moved: tuple[TeamServer, str], client: MlflowClient, local_store: tuple[str, dict[str, str]]
) -> None:
    runs = local_store[1]
    shown = moved[0].tracking("retain", "--uri", moved[0].url, login=True).stdout
    assert "2 of 5 runs would go; nothing was changed" in shown
    assert _names(client) == set(RECALLS)
    moved[0].tracking("retain", "--uri", moved[0].url, "--yes", login=True)
    assert _names(client) == {"best", "last", "teacher"}
    assert not client.list_artifacts(runs["weak"], "evaluation")
    assert client.list_artifacts(runs["teacher"], "evaluation")
    # What was measured can still be read, and the run brought back.
    assert client.get_run(runs["weak"]).data.metrics["test/recall_at_10"] == RECALLS["weak"]


def _names(client: MlflowClient) -> set[str]:
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments, run_view_type=ViewType.ACTIVE_ONLY)
    return {run.info.run_name for run in runs}


def _counts(server: TeamServer) -> tuple[int, int]:
    password = server.secrets["RECDISTILL_TEAM_DB_PASSWORD"]
    address = f"host=127.0.0.1 port={server.postgres_port} user=recdistill dbname=mlflow"
    with closing(psycopg.connect(f"{address} password={password}")) as connection:
        query = "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM metrics)"
        row = connection.execute(query).fetchone()
    assert row is not None
    return tuple(row)
