"""The team server as its users meet it: logins, permissions, artifacts, clear refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import optuna
import pytest
import requests
from _servers import ROOT, TeamServer, environment, missing_for_team
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from recdistill.runs import _views as views

if TYPE_CHECKING:
    from pathlib import Path

    from _browser import Browser

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_for_team()), reason=missing_for_team() or "-"),
]

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"
COLLEAGUE = ("colleague", "a-long-passphrase-of-a-colleague")


@pytest.fixture
def as_admin(team_server: TeamServer, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    for key, value in team_server.login.items():
        monkeypatch.setenv(key, value)
    return MlflowClient(team_server.url)


def test_only_logins_get_in_and_only_by_an_allowed_name(team_server: TeamServer) -> None:
    good = (team_server.admin, team_server.password)
    address = team_server.url + SEARCH
    assert requests.get(address, timeout=20).status_code == 401
    assert requests.get(address, auth=("admin", "guess"), timeout=20).status_code == 401
    assert requests.get(address, auth=good, timeout=20).status_code == 200
    foreign = requests.get(address, auth=good, headers={"Host": "evil.example"}, timeout=20)
    assert foreign.status_code == 403


def test_colleague_reads_all_and_writes_only_own_experiments(
    team_server: TeamServer, as_admin: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = as_admin.create_experiment("of the administrator")
    made = requests.post(
        f"{team_server.url}/api/2.0/mlflow/users/create",
        json={"username": COLLEAGUE[0], "password": COLLEAGUE[1]},
        auth=(team_server.admin, team_server.password),
        timeout=20,
    )
    assert made.status_code == 200, made.text
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", COLLEAGUE[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", COLLEAGUE[1])
    colleague = MlflowClient(team_server.url)
    assert colleague.get_experiment(theirs).name == "of the administrator"
    with pytest.raises(MlflowException, match=r"403|[Pp]ermission"):
        colleague.create_run(theirs)
    own = colleague.create_experiment("of the colleague")
    colleague.set_terminated(colleague.create_run(own).info.run_id)


def test_artifacts_travel_through_the_server_to_the_store(
    team_server: TeamServer,
    as_admin: MlflowClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [key for key in os.environ if key.startswith("AWS_")]:
        monkeypatch.delenv(name)  # people have a login, never the keys of the store
    run = as_admin.create_run(as_admin.create_experiment("artifacts"))
    content = os.urandom(3_000_000)
    (tmp_path / "weights.bin").write_bytes(content)
    as_admin.log_artifact(run.info.run_id, str(tmp_path / "weights.bin"), "model")
    back = as_admin.download_artifacts(run.info.run_id, "model/weights.bin", str(tmp_path / "."))
    with open(back, "rb") as file:  # noqa: PTH123
        assert file.read() == content


def test_no_secret_stands_on_a_command_line_or_on_disk(team_server: TeamServer) -> None:
    lines = subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
    files = [p for p in (team_server.folder / "data").glob("*") if p.is_file()]
    assert files
    for name, secret in team_server.secrets.items():
        assert secret not in lines
        if not name.endswith("S3_KEY"):  # an id; the store names it in its own log
            assert not [p for p in files if secret in p.read_text(errors="replace")]


def test_optuna_studies_live_in_the_same_postgres(
    team_server: TeamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", team_server.secrets["RECDISTILL_TEAM_DB_PASSWORD"])
    address = f"postgresql+psycopg://recdistill@127.0.0.1:{team_server.postgres_port}/optuna"
    study = optuna.create_study(storage=address, study_name="shared")
    study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=2)
    assert len(optuna.load_study(study_name="shared", storage=address).trials) == 2


def test_status_says_who_answers(team_server: TeamServer) -> None:
    said = team_server.tracking("status").stdout
    for name in ("postgres", "s3", "mlflow"):
        assert f"{name}: answers" in said


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("RECDISTILL_TEAM_DB_PASSWORD", "", "is missing"),
        ("RECDISTILL_TEAM_ADMIN_PASSWORD", "short", "fewer than"),
        ("RECDISTILL_TEAM_S3_SECRET", "changeme-changeme-changeme", "anybody would try"),
    ],
)
def test_bad_secrets_are_refused_in_one_sentence(
    tmp_path: Path, name: str, value: str, complaint: str
) -> None:
    server = TeamServer.configured(tmp_path)
    server.secrets[name] = value
    refused = server.tracking("start", check=False)
    assert refused.returncode == 2
    assert f"{name} " in refused.stderr
    assert complaint in refused.stderr
    assert "Traceback" not in refused.stderr


def test_fresh_secrets_are_accepted() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tracking", "secrets"],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    values = dict(line.split("=", 1) for line in printed.splitlines())
    assert len(set(values.values())) == 5
    assert min(map(len, values.values())) >= 32


def test_people_see_the_run_table_after_logging_in(
    team_server: TeamServer, as_admin: MlflowClient, browser: Browser
) -> None:
    experiment_id = as_admin.create_experiment("seen by people")
    run = as_admin.create_run(experiment_id, run_name="sasrec-s0", tags={"stage": "train_baseline"})
    as_admin.log_metric(run.info.run_id, "test/recall_at_10", 0.2513)
    as_admin.set_terminated(run.info.run_id)
    views.save_views(as_admin, experiment_id)
    browser.click_away(team_server.url)
    signed_in = team_server.url.replace("://", f"://{team_server.admin}:{team_server.password}@")
    browser.open(signed_in, shows="Experiments")  # as typing name and password into the dialog
    browser.open(views.view_url(team_server.url, experiment_id), shows="sasrec-s0")
    browser.screenshot("team-run-table")
    assert "0.2513" in browser.text()
