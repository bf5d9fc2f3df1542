"""A stage run in this process: by a notebook, or by a stage that is made of others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient

from recdistill.config import parse, stage_module
from recdistill.errors import UserError
from recdistill.runs._open_run import open_run
from recdistill.runs._references import RunReference, find_run

if TYPE_CHECKING:
    from collections.abc import Mapping


def run_stage(name: str, /, *, parent: str | None = None, **settings: Any) -> RunReference:
    """Run a stage in this process and return its finished run.

    Parameters
    ----------
    name : str
        An entry point, such as ``train_baseline``.
    parent : str, optional
        Id of the run below which its run is shown.
    settings : the stage's parameters
        Dotted ones go in by ``**{"optimizer.lr": 0.001}``.

    Raises
    ------
    UserError
        As the stage itself would say it.
    """
    return run_configured(name, _config(name, settings), parent=parent)


def require_settings(name: str, settings: Mapping[str, Any], where: str) -> None:
    """Refuse now what a stage would refuse later, after all that it waits for.

    Parameters
    ----------
    name : the stage
    settings : its parameters, as ``run_stage`` takes them
    where : what the sentence begins with: the setting that holds them

    Raises
    ------
    UserError
        As the stage itself would say it.
    """
    try:
        if settings:
            _config(name, settings)
    except UserError as refused:
        raise UserError(f"{where}: {refused}") from None


def run_configured(name: str, config: Any, *, parent: str | None = None) -> RunReference:
    """Run a stage in this process with its settings at hand; see :func:`run_stage`."""
    with open_run(name, config, parent=parent) as run:
        stage_module(name).run(config, run)
    return find_run(MlflowClient(), run.id, stages=(name,))


def _config(name: str, settings: Mapping[str, Any]) -> Any:
    words = [f"--{key}={_word(v)}" for key, v in settings.items()]
    return parse(stage_module(name).Config, name, words)


def _word(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
