"""The containers are the plain script's services: same databases, secrets, versions, switches."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import yaml

from tracking import _settings as settings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "tracking" / "compose.yaml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]


def test_same_databases_and_logins() -> None:
    databases = settings.load(ROOT / "tracking" / "team.yaml").postgres.databases
    made = SERVICES["databases"]["command"][-1]
    assert SERVICES["postgres"]["environment"]["POSTGRES_DB"] == databases["runs"]
    assert f"for name in {databases['logins']} {databases['optuna']};" in made
    assert f"/{databases['logins']}\n" in TEXT
    assert "python -m tracking._web" in SERVICES["mlflow"]["command"][-1]  # behind the gate


def test_every_secret_comes_from_the_environment_and_must_be_there() -> None:
    variables = {settings.Secrets.variable(f.name) for f in dataclasses.fields(settings.Secrets)}
    assert set(re.findall(r"\$\{(RECDISTILL_TEAM_\w+):\?", TEXT)) == variables
    assert not re.search(r"(?i)(password|secret|key)\w*: (?!\$\{)\S", TEXT)


def test_only_mlflow_is_reachable_and_only_from_this_machine() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert [name for name, open_ports in ports.items() if open_ports] == ["mlflow"]
    assert all(port.startswith("127.0.0.1:") for port in ports["mlflow"])


def test_object_store_is_reachable_from_mlflow_alone() -> None:
    store = SERVICES["s3"]
    assert store["network_mode"] == "service:mlflow"
    assert "-ip.bind=127.0.0.1" in store["command"]
    assert "networks" not in store


def test_same_object_store_and_switches_as_the_script() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pin = next(p for p in extras["optional-dependencies"]["server"] if "seaweedfs" in p)
    assert SERVICES["s3"]["image"].rsplit(":", 1)[1] == pin.rsplit("==", 1)[1]
    environment = SERVICES["mlflow"]["environment"]
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
