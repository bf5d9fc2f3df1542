"""Addresses in the MLflow UI that open what people want to see, with readable columns.

The UI hides every metric and parameter column at first and cuts headers at twelve characters, and
an address alone cannot change that. It does honour *saved views*: the state of the run table, kept
as a tag of the experiment, listed in its ``Views`` menu and named in the address. We write that
tag. Its format is the UI's own and belongs to the pinned version of MLflow; a browser test holds
it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient

_TAG = "mlflow.sharedViewState."
_PIXELS = {"name": 250, "created": 140, "duration": 80, "tag": 115, "letter": 7, "margin": 44}
_LONGEST_DIFFERENCE = "+0.0144 [+0.0059, +0.0230] p=0.003"


@dataclass(frozen=True)
class View:
    """A named state of the run table.

    Attributes
    ----------
    key : part of the address; letters, digits and dashes.
    name : what the ``Views`` menu says.
    tags, metrics, params : the columns, in this order.
    search : filter in the language of ``search_runs``; empty shows every run.
    order_by : the metric sorted by; empty is newest first.
    ascending : whether the smallest stands on top.
    """

    key: str
    name: str
    tags: Sequence[str] = ()
    metrics: Sequence[str] = ()
    params: Sequence[str] = ()
    search: str = ""
    order_by: str = ""
    ascending: bool = False

    def state(self) -> dict[str, object]:
        """Return what the UI keeps for this view."""
        groups = {"tags": self.tags, "metrics": self.metrics, "params": self.params}
        columns = {
            f"{group}.`{name}`": _width(name, group)
            for group, names in groups.items()
            for name in names
        }
        widths = {
            "attributes.`Run Name`": _PIXELS["name"],
            "runDateAndNestInfo": _PIXELS["created"],
            "duration": _PIXELS["duration"],
            **columns,
        }
        order_by = f"metrics.`{self.order_by}`" if self.order_by else "attributes.start_time"
        return {
            "selectedColumns": list(columns),
            "columnOrder": list(widths),
            "columnWidths": widths,
            "searchFilter": self.search,
            "orderByKey": order_by,
            "orderByAsc": self.ascending,
            "hideEmptyCharts": True,
        }


def _width(header: str, group: str) -> int:
    letters = len(_LONGEST_DIFFERENCE) if group == "tags" and "_vs_" in header else len(header)
    least = _PIXELS["tag"] if group == "tags" else 0
    return max(least, letters * _PIXELS["letter"] + _PIXELS["margin"])


_QUALITY = ("test/ndcg_at_10", "test/recall_at_10")
# A difference with its interval is a tag, since a metric's column holds one number.
_AGAINST_BASELINE = "ndcg_vs_baseline"

RESULTS = View(
    "results",
    "Results: best on top",
    tags=("stage", "dataset", _AGAINST_BASELINE),
    metrics=_QUALITY,
    search="attributes.status = 'FINISHED'",
    order_by="test/ndcg_at_10",
)
VIEWS = (
    RESULTS,
    View(
        "distilled",
        "Distilled: did it help?",
        tags=("dataset", "seed", _AGAINST_BASELINE, "ndcg_vs_teacher"),
        metrics=_QUALITY,
        search="attributes.status = 'FINISHED' and tags.stage = 'distill'",
        order_by="delta/ndcg_at_10_vs_baseline",
    ),
    View(
        "costs",
        "Memory and time",
        tags=("stage", "dataset"),
        metrics=(
            "time/cpu_seconds",
            "time/fit_seconds",
            "memory/fit_peak_rss_mb",
            "memory/fit_peak_allocated_mb",
            "test/ndcg_at_10",
        ),
        search="attributes.status = 'FINISHED'",
    ),
    View(
        "trials",
        "Sweep trials: best on top",
        tags=("study", "state"),
        metrics=("val/ndcg_at_10", "delta/val_ndcg_at_10_vs_baseline", "val/recall_at_10"),
        search="tags.stage = 'trial'",
        order_by="val/ndcg_at_10",
    ),
    View(
        "promoted",
        "Promoted: what serves",
        tags=("registered", "dataset", "error"),
        metrics=("delta/ndcg_at_10_vs_champion", "p/ndcg_at_10_vs_champion"),
        search="tags.stage = 'promote'",
    ),
    View(
        "troubles",
        "Failed or interrupted: why?",
        tags=("error", "closed.reason", "stage"),
        search="attributes.status != 'FINISHED'",
    ),
)
"""The views that every experiment of ours offers."""


def save_views(
    client: MlflowClient, experiment_id: str, views: Sequence[View] = VIEWS
) -> dict[str, str]:
    """Offer ``views`` in the experiment's ``Views`` menu; return the tags that were written.

    Views that stand there already are left alone, so calling this again costs one request.
    """
    present = client.get_experiment(experiment_id).tags
    written = {}
    for view in views:
        state = json.dumps(view.state())
        before = json.loads(present.get(_TAG + view.key, "{}"))
        if (before.get("name"), before.get("state")) == (view.name, state):
            continue
        now = int(time.time() * 1000)
        record = {"name": view.name, "createdAt": now, "updatedAt": now, "state": state}
        written[_TAG + view.key] = json.dumps(record)
        client.set_experiment_tag(experiment_id, _TAG + view.key, written[_TAG + view.key])
    return written


def ui_base(tracking_uri: str) -> str:
    """Address of the UI of a store; of a file store, the one where ``make ui`` shows it."""
    return tracking_uri.rstrip("/") if tracking_uri.startswith("http") else "http://127.0.0.1:5000"


def view_url(base: str, experiment_id: str, view: View = RESULTS, *, charts: bool = False) -> str:
    """Address of the run table in a saved view; with ``charts``, of its metric charts."""
    mode = "&compareRunsMode=CHART" if charts else ""
    return f"{base}/#/experiments/{experiment_id}/runs?viewStateShareKey={view.key}{mode}"


def comparison_url(base: str, experiment_ids: Sequence[str], run_ids: Sequence[str]) -> str:
    """Address of MLflow's own page comparing runs side by side."""
    runs, experiments = (quote(json.dumps(list(ids))) for ids in (run_ids, experiment_ids))
    return f"{base}/#/compare-runs?runs={runs}&experiments={experiments}"


def run_url(base: str, experiment_id: str, run_id: str, artifact: str | None = None) -> str:
    """Address of a run's page, or of one of its artifacts shown there."""
    end = f"/artifacts/{artifact}" if artifact else ""
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}{end}"


def model_url(base: str, name: str, version: int | None = None) -> str:
    """Address of a registered model's page, where its versions and aliases are listed."""
    end = f"/versions/{version}" if version else ""
    return f"{base}/#/models/{quote(name, safe='')}{end}"
