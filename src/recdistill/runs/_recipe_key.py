"""What makes two runs trainings of one recipe: everything but the seed."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient

RECIPE = "recipe.key"
"""Tag of a run that :func:`recipe_key` names."""

_NOT_RECIPE = {"seed", "use_cache", "preset", "data_path"}
# Inputs that are the data, and the files that an encoder's name stands for now: the name is a
# setting, and stores know the noise of recipes that have the name alone.
_BESIDE = {"catalog", "split", "encoder"}
_SAID = {"weights"}  # inputs that a user says, in words of their own
_IDS = re.compile(r"[0-9a-f]{16,}(,[0-9a-f]{16,})*")


def recipe_key(stage: str, settings: Mapping[str, object], inputs: Mapping[str, str]) -> str:
    """Name a recipe: runs with equal keys differ in nothing but their seed.

    The code is not part of it: what is known of a recipe's noise outlives a commit.

    Parameters
    ----------
    stage : entry point.
    settings : every setting by its dotted name; those that draw or find nothing new are left out.
    inputs : for each input but the data and an encoder's files its recipe or digest, and the
        weights that teachers were given; names of runs (which have a seed in them) are left out,
        since their recipes stand beside them.

    Returns
    -------
    First 16 hex digits of a sha256.
    """
    defining = {
        name: str(value)
        for name, value in settings.items()
        if name not in _NOT_RECIPE and not name.endswith(("_run", "runs"))
    }
    kept = {k: v for k, v in inputs.items() if k in _SAID or _has_recipe(k, v)}
    text = json.dumps([stage, defining, kept], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def input_recipes(client: MlflowClient, inputs: Mapping[str, str]) -> dict[str, str]:
    """Put the recipe in the place of every run that is read, so that its seed does not count.

    Digests, and runs that know no recipe, stay as they are.
    """
    return {
        name: ",".join(_recipe_of(client, one) for one in value.split(","))
        if _has_recipe(name, value)
        else value
        for name, value in inputs.items()
    }


def _has_recipe(name: str, value: str) -> bool:
    return name not in _BESIDE and _IDS.fullmatch(value) is not None


def _recipe_of(client: MlflowClient, run_id: str) -> str:
    try:
        return str(client.get_run(run_id).data.tags.get(RECIPE, run_id))
    except MlflowException:  # a digest
        return run_id
