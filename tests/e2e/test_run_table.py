"""What people see when they browse and compare runs in the MLflow UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import psutil
import pytest
import requests
from matplotlib import pyplot as plt
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from recdistill.runs import _views as views

if TYPE_CHECKING:
    from _browser import Browser

pytestmark = pytest.mark.e2e

INTERVAL = "+0.0144 [+0.0059, +0.0230] p=0.003"
RECALLS = {"popularity": 0.0811, "sasrec-s0": 0.2513, "lam0.3-s0-distill": 0.2661}


@pytest.fixture(scope="module")
def experiment(local_server: str) -> tuple[MlflowClient, str, dict[str, str]]:
    """Three runs with the metrics, tags and picture that our stages write."""
    mpl.use("agg")
    client = MlflowClient(local_server)
    experiment_id = client.create_experiment("table")
    runs = {}
    for name, recall in RECALLS.items():
        stage = "distill" if "distill" in name else "train_baseline"
        run = client.create_run(
            experiment_id, run_name=name, tags={"stage": stage, "dataset": "ml-100k", "seed": "0"}
        )
        if stage == "distill":
            client.set_tag(run.info.run_id, "ndcg_vs_baseline", INTERVAL)
        runs[name] = run.info.run_id
        metrics = {
            "test/recall_at_10": recall,
            "test/ndcg_at_10": round(recall * 0.58, 4),
            "delta/recall_at_10_vs_baseline": round(recall - RECALLS["sasrec-s0"], 4),
        }
        rows = [Metric(key, value, 1, 0) for key, value in metrics.items()]
        client.log_batch(runs[name], rows, [Param("config.student.dim", "64")])
        figure, axes = plt.subplots(figsize=(5, 3))
        axes.bar(["recall@10"], [recall])
        client.log_figure(runs[name], figure, "evaluation/recall@10.png")
        plt.close(figure)
        client.set_terminated(runs[name])
    broken = client.create_run(experiment_id, run_name="broken", tags={"error": "out of memory"})
    client.set_terminated(broken.info.run_id, status="FAILED")
    views.save_views(client, experiment_id)
    return client, experiment_id, runs


def test_local_server_is_two_processes_that_talk_to_nobody_else(local_server: str) -> None:
    port = local_server.rsplit(":", 1)[1]
    (server,) = [p for p in psutil.process_iter(["cmdline"]) if _serves(p.info["cmdline"], port)]
    processes = [server, *server.children(recursive=True)]
    assert len(processes) == 2
    for connection in (c for p in processes for c in p.net_connections("inet") if c.raddr):
        assert connection.raddr.ip in ("127.0.0.1", "::1")


def _serves(words: list[str] | None, port: str) -> bool:
    return words is not None and "server" in words and port in words


def test_results_view_shows_readable_columns_best_run_on_top(
    experiment: tuple[MlflowClient, str, dict[str, str]], browser: Browser, local_server: str
) -> None:
    _, experiment_id, _ = experiment
    browser.open(views.view_url(local_server, experiment_id), shows="lam0.3-s0-distill")
    for column in ("stage", "dataset", "test/recall_at_10", "ndcg_vs_baseline"):
        header = browser.find(
            f'[role=columnheader][col-id$="`{column}`"] .ag-header-cell-text, '
            f'[role=columnheader][col-id$="`{column}`"] span'
        )
        assert not _cut(browser, header), f"the header {column} is cut"
    text = browser.text()
    order = sorted(RECALLS, key=text.index)
    browser.screenshot("run-table")
    assert INTERVAL in text
    assert order == sorted(RECALLS, key=lambda name: -RECALLS[name])
    assert "broken" not in text


def test_first_visit_shows_training_and_no_assistant(
    experiment: tuple[MlflowClient, str, dict[str, str]], browser: Browser, local_server: str
) -> None:
    # First in this file: the browser's settings are still those that our page made.
    del experiment
    browser.open(f"{local_server}/#/experiments", shows="Model training")
    browser.wait_for("table")
    assert "Assistant" not in browser.text()
    kept = "return localStorage.getItem('mlflow.workflowType_v1')"
    assert browser.driver.execute_script(kept) == '"machine_learning"'
    refused = requests.get(f"{local_server}/ajax-api/3.0/mlflow/assistant/config", timeout=20)
    assert refused.status_code == 404


def test_views_menu_lists_ours(
    experiment: tuple[MlflowClient, str, dict[str, str]], browser: Browser, local_server: str
) -> None:
    _, experiment_id, _ = experiment
    browser.open(views.view_url(local_server, experiment_id), shows="lam0.3-s0-distill")
    browser.click(views.RESULTS.name)
    for view in views.VIEWS:
        browser.wait_for(view.name)
    browser.screenshot("views-menu")


def test_troubles_view_says_why(
    experiment: tuple[MlflowClient, str, dict[str, str]], browser: Browser, local_server: str
) -> None:
    _, experiment_id, _ = experiment
    troubles = next(view for view in views.VIEWS if view.key == "troubles")
    browser.open(views.view_url(local_server, experiment_id, troubles), shows="out of memory")
    browser.screenshot("troubles")
    assert "sasrec-s0" not in browser.text()


def test_charts_open_from_an_address(
    experiment: tuple[MlflowClient, str, dict[str, str]], browser: Browser, local_server: str
) -> None:
    _, experiment_id, _ = experiment
    url = views.view_url(local_server, experiment_id, charts=True)
    browser.open(url, shows="delta/recall_at_10_vs_baseline")
    browser.find(".js-plotly-plot .barlayer path")
    browser.screenshot("run-charts")


def test_comparison_page_shows_both_runs_side_by_side(
    experiment: tuple[MlflowClient, str, dict[str, str]], browser: Browser, local_server: str
) -> None:
    _, experiment_id, runs = experiment
    pair = [runs["sasrec-s0"], runs["lam0.3-s0-distill"]]
    url = views.comparison_url(local_server, [experiment_id], pair)
    browser.resize(1500, 1600)
    browser.open(url, shows="Comparing 2 Runs")
    browser.wait_for("lam0.3-s0-distill")
    text = browser.text()
    browser.screenshot("comparison")
    browser.resize(1500, 800)
    assert "0.251" in text
    assert "0.266" in text


def test_artifact_picture_is_shown(
    experiment: tuple[MlflowClient, str, dict[str, str]], browser: Browser, local_server: str
) -> None:
    _, experiment_id, runs = experiment
    url = views.run_url(local_server, experiment_id, runs["sasrec-s0"], "evaluation/recall@10.png")
    browser.open(url, shows="recall@10.png")
    picture = browser.find("img[src^=blob], img[src*=artifact]")
    width = browser.driver.execute_script("return arguments[0].naturalWidth", picture)
    browser.screenshot("artifact-picture")
    assert width > 300


def _cut(browser: Browser, element: object) -> bool:
    """Whether the text of an element is wider than the element."""
    script = "return arguments[0].scrollWidth > arguments[0].clientWidth + 1"
    return bool(browser.driver.execute_script(script, element))
