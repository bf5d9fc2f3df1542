"""Addresses of the MLflow UI that open what people want to see, as they want to see it.

The hash routes are not a documented interface of MLflow: they were observed with the pinned version
and the browser tests load them.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

LOCAL_UI = "http://127.0.0.1:5000"
"""Where ``make ui`` shows a store that is a file and has no address of its own."""

RUN_COLUMNS = (
    "metrics.`test/recall_at_10`",
    "metrics.`test/ndcg_at_10`",
    "metrics.`time/fit_seconds`",
    "tags.`stage`",
    "tags.`dataset`",
    "tags.`seed`",
)
"""Columns of the saved run table; MLflow hides every metric and parameter by default."""


def ui_base(tracking_uri: str) -> str:
    """Return the UI's address up to the ``#``; of a file store the one ``make ui`` uses."""
    return tracking_uri.rstrip("/") if tracking_uri.startswith("http") else LOCAL_UI


def run_url(base: str, experiment_id: str, run_id: str, tab: str = "") -> str:
    """Return one run's page; ``tab`` is e.g. ``model-metrics`` or ``artifacts/x.html``."""
    page = f"{base}/#/experiments/{experiment_id}/runs/{run_id}"
    return f"{page}/{quote(tab)}" if tab else page


def compare_url(base: str, run_ids: Sequence[str], experiment_ids: Sequence[str]) -> str:
    """Return the page that MLflow's own Compare button opens for these runs."""
    experiments = sorted(set(experiment_ids))
    return f"{base}/#/compare-runs?runs={_json(list(run_ids))}&experiments={_json(experiments)}"


def table_url(
    base: str,
    experiment_id: str,
    *,
    condition: str = "attributes.status = 'FINISHED'",
    order_by: str = "metrics.`test/ndcg_at_10`",
    view: str = "",
) -> str:
    """Return the run table of an experiment, filtered and sorted, best first.

    Parameters
    ----------
    condition : MLflow filter string.
    order_by : column to sort by, largest value first.
    view : key of a saved view (`save_view`); it then decides filter, order and columns.
    """
    page = f"{base}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"
    if view:
        return f"{page}&viewStateShareKey={view}"
    return (
        f"{page}&compareRunsMode=TABLE&searchFilter={quote(condition, safe='')}"
        f"&orderByKey={quote(order_by, safe='')}&orderByAsc=false"
    )


def save_view(
    client: MlflowClient,
    experiment_id: str,
    *,
    condition: str = "attributes.status = 'FINISHED'",
    order_by: str = "metrics.`test/ndcg_at_10`",
    columns: Sequence[str] = RUN_COLUMNS,
) -> str:
    """Keep a view of the run table in the experiment, as the UI's Share button does.

    An address alone can carry filter and order but no columns. Equal views share one key.

    Returns
    -------
    The view's key, for `table_url`.
    """
    state = {
        "searchFilter": condition,
        "orderByKey": order_by,
        "orderByAsc": False,
        "compareRunsMode": "TABLE",
        "selectedColumns": list(columns),
    }
    text = json.dumps(state, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    client.set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{key}", text)
    return key


def _json(values: list[str]) -> str:
    return quote(json.dumps(values), safe="")
