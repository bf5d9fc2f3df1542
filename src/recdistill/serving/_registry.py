"""Who holds an alias in the model registry, and whether a newcomer may take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlflow
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.runs import find_run

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from recdistill.runs import RunReference

_STAGES = ("distill", "train_baseline")


@dataclass(frozen=True)
class Holder:
    """The version that an alias points to, and the run its student came from."""

    version: int
    run: RunReference


def holder_of(client: MlflowClient, name: str, alias: str) -> Holder | None:
    """Return who holds ``alias`` of the registered model ``name``; None when nobody does.

    Raises
    ------
    UserError
        When somebody does whose run is gone, so that nothing can be compared with it.
    """
    try:
        version = client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    run_id = version.tags.get("model_run_id", "")
    try:
        run = find_run(client, run_id, stages=_STAGES)
    except UserError as error:
        raise UserError(
            f"{name}@{alias} is version {version.version} of run {run_id or 'unknown'}, which "
            f"cannot be compared with ({error}); replace it unseen with force=true."
        ) from None
    return Holder(int(version.version), run)


def register(name: str, alias: str, model_uri: str, tags: dict[str, str]) -> int:
    """Make ``model_uri`` the next version of ``name`` and give it ``alias``; return its number."""
    version = mlflow.register_model(model_uri, name, tags=tags).version
    mlflow.MlflowClient().set_registered_model_alias(name, alias, version)
    return int(version)
