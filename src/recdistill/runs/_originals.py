"""Which run first computed what another one asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from recdistill.runs._references import STANDS_FOR, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

WENT_ON_WITH = "cache.went_on_with"
"""Tag of a run that went on with an interrupted one: that one."""


def find_original(client: MlflowClient, conditions: Sequence[str], *, asking: str) -> str | None:
    """Find the newest run under these conditions that computed something itself.

    Mostly the first one found says which that is: one that stood for another, or went on with
    it, names it. The run ``asking`` is no answer to itself.
    """
    gone = set()
    for run in search(client, list(conditions), first=2):
        tags, found = run.data.tags, str(run.info.run_id)
        origin = tags.get(STANDS_FOR) or tags.get(WENT_ON_WITH)
        if found == asking or origin in gone:
            continue
        if origin is None:
            return found
        try:
            info = client.get_run(origin).info
        except MlflowException:
            info = None
        if (
            info
            and info.lifecycle_stage == "active"
            and (info.status == "FINISHED") is (run.info.status == "FINISHED")
        ):
            return str(origin)
        gone.add(origin)
    return None
