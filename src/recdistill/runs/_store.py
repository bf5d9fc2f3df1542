"""Reaching the tracking store, and the sentences for when it cannot be reached."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.runs._run import Run


def open_store() -> MlflowClient:
    """Client of the tracking store in use; UserError when it does not answer."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for chatty in ("mlflow.system_metrics", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        client = MlflowClient()
        client.search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0][:300]
        raise UserError(
            f"The tracking store {mlflow.get_tracking_uri()} cannot be used: {reason}. Start the "
            "server (make ui or make server) or set MLFLOW_TRACKING_URI."
        ) from None
    return client


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


def answers(run: Run) -> bool:
    """Whether the store still knows the run."""
    try:
        run.client.get_run(run.id)
    except MlflowException:
        return False
    return True


def gone(run: Run, error: MlflowException) -> UserError:
    """Return the sentence for a store that went away in the middle of a run."""
    reason = str(error).splitlines()[0][:200]
    return UserError(
        f"The tracking store {mlflow.get_tracking_uri()} went away in the middle of run {run.id} "
        f"({reason}). Start the same command again when it is back: what was trained is kept "
        "and goes on from there."
    )
