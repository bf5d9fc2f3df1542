"""A worker on any machine: everything it needs comes from the study and the tracking store.

A module of its own beside the room, because it imports all that training needs.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import torch
from filelock import FileLock
from mlflow import MlflowClient

from recdistill.data import load_prepared
from recdistill.errors import UserError
from recdistill.runs import FinishedRuns, fetch_artifact
from recdistill.sweeps._mirror import Mirror
from recdistill.sweeps._stage import space_of, stage_settings
from recdistill.sweeps._storage import open_storage
from recdistill.sweeps._study import DATA, halt, load_study, parent_run
from recdistill.sweeps._trainers import make_trainer
from recdistill.sweeps._worker import Worker

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.sweeps._study import StudySpec

STATE = Path(".recdistill")


def make_worker(
    study_name: str, storage_url: str, tracking_uri: str, n_threads: int, name: str
) -> Worker:
    """Load everything a worker needs from the study and the tracking store, and nothing else.

    Runs inside a worker's process; a mistake that would stop every worker is told to the study.
    """
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    torch.set_num_threads(n_threads)
    mlflow.set_tracking_uri(tracking_uri)
    client = MlflowClient()
    storage = open_storage(storage_url)
    study, spec = load_study(study_name, storage)
    storage = open_storage(storage_url, heartbeat_seconds=spec.heartbeat_seconds)
    try:
        data = fetch_data(client, parent_run(study), spec)
        trainer = make_trainer(spec, stage_settings(spec), data, FinishedRuns(client))
    except UserError as error:
        halt(study, str(error))
        raise SystemExit(2) from None
    experiment = client.get_run(parent_run(study)).info.experiment_id
    return Worker(
        study_name,
        spec,
        space_of(spec),
        storage,
        trainer,
        Mirror(client, experiment, parent_run(study), study_name, spec),
        name,
        STATE / "checkpoints" / f"study-{study_name}",
    )


def fetch_data(client: MlflowClient, parent: str, spec: StudySpec) -> PreparedData:
    """Find the prepared data of the study here, or bring it from the sweep's run.

    Raises
    ------
    UserError
        When what came is not what the study is about.
    """
    folder = STATE / "data" / spec.split_digest
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            artifacts = client.get_run(parent).info.artifact_uri
            shutil.rmtree(partial, ignore_errors=True)
            # Not the client's own download, which leaves an empty folder behind each time.
            shutil.copytree(fetch_artifact(f"{artifacts}/{DATA}"), partial)
            partial.replace(folder)
    data = load_prepared(folder)
    if data.split_digest != spec.split_digest:
        raise UserError(
            f"{folder} holds data {data.split_digest[:12]}, the study is about "
            f"{spec.split_digest[:12]}: remove that folder."
        )
    return data
