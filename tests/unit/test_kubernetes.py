"""What MLflow's Kubernetes back end reads is what it takes and what the menu offers."""

from __future__ import annotations

import importlib
import json
import shlex
from typing import TYPE_CHECKING

import yaml
from mlflow.projects import _parse_kubernetes_config
from mlflow.projects.utils import get_entry_point_command, load_project

from recdistill import __version__
from recdistill.config import parse
from tests.documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

FOLDER = ROOT / "examples/kubernetes"
PROJECT = yaml.safe_load((FOLDER / "MLproject").read_text())


def test_the_menu_is_the_projects_own() -> None:
    menu = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
    assert list(PROJECT["entry_points"]) == list(menu)
    for name, entry in PROJECT["entry_points"].items():
        assert entry == {"command": f"recdistill {name}"}


def test_the_image_is_of_this_version() -> None:
    image = PROJECT["docker_env"]["image"]
    assert image.endswith(f":{__version__.rsplit('.', 1)[0]}")
    assert image in (FOLDER / "Dockerfile").read_text()
    assert image in (ROOT / "docs/guides/kubernetes.md").read_text()


def test_a_stage_understands_the_command_that_mlflow_makes(tmp_path: Path) -> None:
    given = {"dataset": "ml-100k", "optimizer.lr": "0.004"}
    project = load_project(str(FOLDER))
    (command,) = get_entry_point_command(project, "train_baseline", given, str(tmp_path))
    _, stage, *flags = shlex.split(command)
    config = parse(importlib.import_module(f"projects.{stage}").Config, stage, flags)
    assert (config.dataset, config.optimizer.lr) == ("ml-100k", 0.004)


def test_mlflow_finds_where_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    settings = _parse_kubernetes_config(json.loads((FOLDER / "backend.json").read_text()))
    job = settings["kube-job-template"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert {"name", "namespace"} <= set(job["metadata"])
    assert {variable["name"] for variable in container["env"]}.isdisjoint(
        {"MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI"}
    )
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in job["spec"]["template"]["spec"]["volumes"]}
