"""Which runs a report is about."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.evaluation import protocols_differ
from recdistill.reporting._scored_run import MODEL_STAGES, SCORED, find_scored_run, scored_runs
from recdistill.runs import newest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlflow import MlflowClient

    from recdistill.reporting._scored_run import ScoredRun

_OPERATOR = re.compile(r"[=<>]|\b(LIKE|ILIKE|IN)\b", re.IGNORECASE)


def select_runs(
    client: MlflowClient, selection: str = "", *, dataset: str = "", floors: bool = True
) -> list[ScoredRun]:
    """Find the runs to compare, newest first, each once.

    Parameters
    ----------
    selection : str
        Ids and names with commas between them, or an MLflow filter string. Empty or ``latest``:
        of each model stage and kind of model the newest settings, in all their seeds, on the data
        of the newest run and by its protocol.
    dataset : str
        With an empty selection: only runs on this data set.
    floors : bool
        Add the newest run of each floor on the same data, so that no table is without them.

    Raises
    ------
    UserError
        When nothing is found, a named run is not finished or scored nothing, or the filter is not
        one that MLflow understands.
    """
    selection = selection.strip()
    if selection in ("", "latest"):
        chosen = _newest_of_each_kind(client, dataset)
    elif _OPERATOR.search(selection):
        chosen = _scored(client, selection)
        if not chosen:
            raise UserError(
                f"No finished run with test metrics matches the filter {selection!r}; "
                "try the same filter in the search field of the MLflow UI."
            )
    else:
        chosen = [find_scored_run(client, name) for name in re.split(r"[,\s]+", selection) if name]
    chosen = list({run.id: run for run in chosen}.values())
    if floors:
        chosen += _missing_floors(client, chosen)
    return sorted(chosen, key=lambda run: -run.started)


def require_same_data(runs: Iterable[ScoredRun]) -> None:
    """Refuse runs that did not answer the same question.

    Raises
    ------
    UserError
        Naming the two runs and what differs between them.
    """
    first, *others = runs
    for tag in ("catalog.digest", "split.digest", "protocol"):
        value = first.reference.tags.get(tag, "")
        for other in others:
            theirs = other.reference.tags.get(tag, "")
            if theirs != value:
                raise UserError(
                    f"Runs '{first.name}' ({first.id[:8]}) and '{other.name}' ({other.id[:8]}) "
                    f"cannot be compared: {_why(tag, value, theirs)}; select runs of one of them."
                )


def _why(tag: str, value: str, theirs: str) -> str:
    if tag == "protocol":
        return protocols_differ(value, theirs)
    words = {"catalog.digest": "catalogs", "split.digest": "splits"}[tag]
    return (
        f"they are on different {words} ({tag} {value[:12] or 'unknown'} and "
        f"{theirs[:12] or 'unknown'})"
    )


def _newest_of_each_kind(client: MlflowClient, dataset: str) -> list[ScoredRun]:
    scored = ["attributes.status = 'FINISHED'", f"metrics.`{SCORED}` >= 0"]
    on_data = [f"tags.dataset = '{dataset}'"] if dataset else []
    newest_run = newest_of(client, MODEL_STAGES, [*scored, *on_data])
    if newest_run is None:
        on = f" on {dataset}" if dataset else ""
        raise UserError(
            f"There is no finished run with test metrics{on} yet; start one with: "
            "mlflow run . -e train_baseline"
        )
    same = " AND ".join(
        f"tags.`{tag}` = '{newest_run.data.tags[tag]}'"
        for tag in ("catalog.digest", "split.digest", "protocol")
        if tag in newest_run.data.tags
    )
    conditions = [" AND ".join(filter(None, [f"tags.stage = '{s}'", same])) for s in MODEL_STAGES]
    found = [run for condition in conditions for run in _scored(client, condition)]
    runs = sorted(found, key=lambda run: -run.started)
    newest: dict[tuple[str, str], tuple[str, str]] = {}
    for run in runs:
        newest.setdefault((run.stage, run.model), run.key)
    kept: dict[tuple[str, str, str], ScoredRun] = {}
    for run in runs:
        if run.key in newest.values():
            kept.setdefault((*run.key, run.seed), run)
    return list(kept.values())


def _missing_floors(client: MlflowClient, chosen: list[ScoredRun]) -> list[ScoredRun]:
    if not chosen:
        return []
    catalog, split = chosen[0].data
    protocol = chosen[0].protocol
    present = {run.model for run in chosen}
    condition = (
        f"tags.stage = 'train_baseline' AND tags.`catalog.digest` = '{catalog}' "
        f"AND tags.`split.digest` = '{split}'"
    )
    added: dict[str, ScoredRun] = {}
    for run in _scored(client, condition):
        if run.is_floor and run.model not in present and run.protocol == protocol:
            added.setdefault(run.model, run)
    return list(added.values())


def _scored(client: MlflowClient, condition: str) -> list[ScoredRun]:
    try:
        return scored_runs(client, f"attributes.status = 'FINISHED' AND {condition}")
    except MlflowException as error:
        raise UserError(
            f"MLflow does not understand the filter {condition!r}: {error.message.splitlines()[0]}"
        ) from None
