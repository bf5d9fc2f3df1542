"""The newest runs as a table for the terminal: what they are, how good, and made from what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import mlflow
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.runs._references import by_id_or_name
from recdistill.runs._views import run_url, ui_base

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import Run

_INPUTS = ("baseline_run_id", "teacher_run_id", "table_run_id", "transfer_run_id", "model_run_id")
# A sweep has hundreds of trials and a diagnosis a dozen rungs: their parents stand for them.
_HIDDEN = ("trial", "ladder")
_HEADER = ("started", "stage", "name", "recall@10", "NDCG@10", "made from")


def list_runs(
    client: MlflowClient, *, n: int = 20, stage: str = "", everything: bool = False
) -> str:
    """Return the ``n`` newest runs as lines of text.

    Parameters
    ----------
    client : MlflowClient
    n : int
    stage : str
        Only this entry point's runs.
    everything : bool
        A sweep's trials and a diagnosis's rungs too.

    Returns
    -------
    str
        Test figures, or validation figures in brackets where a run has met no test data. A run
        that has not finished says so after its name.
    """
    conditions = [f"tags.stage = '{stage.replace(chr(39), '')}'"] if stage else []
    if not everything and not stage:
        conditions += [f"tags.stage != '{hidden}'" for hidden in _HIDDEN]
    experiments = [e.experiment_id for e in client.search_experiments()]
    found = client.search_runs(
        experiments,
        " and ".join(conditions),
        order_by=["attributes.start_time DESC"],
        max_results=n,
    )
    names = {run.info.run_id: run.info.run_name for run in found}
    rows = [_row(client, run, names) for run in found]
    return (
        _aligned([_HEADER, *rows]) if rows else "There is no run yet: recdistill main starts some."
    )


def page_of_run(client: MlflowClient, reference: str) -> str:
    """Return the address in the MLflow UI of a run named by id or name.

    Raises
    ------
    UserError
        When no run has that id or name.
    """
    run = by_id_or_name(client, reference)
    if run is None:
        raise UserError(f"No run has the id or name '{reference}'; recdistill runs lists them.")
    return run_url(ui_base(mlflow.get_tracking_uri()), run.info.experiment_id, run.info.run_id)


def _row(client: MlflowClient, run: Run, names: dict[str, str]) -> tuple[str, ...]:
    started = datetime.fromtimestamp(run.info.start_time / 1000, tz=UTC).astimezone()
    name = str(run.info.run_name)
    if run.info.status != "FINISHED":
        name += f" ({run.info.status})"
    figures = (_figure(run.data.metrics, m) for m in ("recall_at_10", "ndcg_at_10"))
    ids = [i for tag in _INPUTS for i in run.data.tags.get(tag, "").split(",") if i]
    sources = list(dict.fromkeys(_name(client, i, names) for i in ids))
    return (f"{started:%m-%d %H:%M}", run.data.tags.get("stage", ""), name, *figures,
            _shortened(sources))  # fmt: skip


def _figure(metrics: Mapping[str, float], name: str) -> str:
    if f"test/{name}" in metrics:
        return f"{metrics[f'test/{name}']:.4f}"
    return f"({metrics[f'val/{name}']:.4f})" if f"val/{name}" in metrics else ""


def _name(client: MlflowClient, run_id: str, names: dict[str, str]) -> str:
    if run_id not in names:
        try:
            names[run_id] = str(client.get_run(run_id).info.run_name)
        except MlflowException:
            names[run_id] = f"{run_id[:8]} (removed)"
    return names[run_id]


def _shortened(sources: Sequence[str], most: int = 3) -> str:
    more = f" and {len(sources) - most} more" if len(sources) > most else ""
    return ", ".join(sources[:most]) + more


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    lines = [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
