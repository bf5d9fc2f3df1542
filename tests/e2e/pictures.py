"""Take the pictures of the documentation from a tracking store with real runs.

    python tests/e2e/pictures.py --store sqlite:///mlflow.db --experiment recdistill \
        --runs sasrec-s0 lam0.3-s0-distill --out docs/assets

Starts ``tracking/local.sh`` on the store (or uses ``--server``), opens the UI in headless Chromium
and writes ``run-table.png``, ``run-charts.png``, ``comparison.png`` and, with ``--artifact``,
``artifact.png``. Without ``--runs`` the two best finished runs are compared.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from _browser import Browser
from _servers import ROOT, environment, free_port, running
from mlflow import MlflowClient

from recdistill.runs import _views as views


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        server = options.server
        if not server:
            server = f"http://127.0.0.1:{free_port()}"
            log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "server.log"
            command = [str(ROOT / "tracking" / "local.sh"), server.rsplit(":", 1)[1]]
            env = environment(MLFLOW_TRACKING_URI=options.store)
            stack.enter_context(running(command, server, log, env))
        client = MlflowClient(server)
        found = client.get_experiment_by_name(options.experiment)
        if found is None:
            raise SystemExit(f"There is no experiment '{options.experiment}' in this store.")
        views.save_views(client, found.experiment_id)
        pair = _pair(client, found.experiment_id, options.runs)
        browser = stack.enter_context(Browser(options.out))
        browser.click_away(server)
        _take(browser, server, found.experiment_id, pair, options.artifact)


def _take(
    browser: Browser, server: str, experiment_id: str, pair: dict[str, str], artifact: str
) -> None:
    last = list(pair)[-1]
    browser.resize(1640, 620)
    browser.open(views.view_url(server, experiment_id), shows=last)
    _close_banner(browser)
    print(browser.screenshot("run-table"))
    browser.resize(1640, 1000)
    browser.open(views.view_url(server, experiment_id, charts=True), shows=last)
    browser.find(".js-plotly-plot .barlayer path, .js-plotly-plot .scatterlayer path")
    _close_banner(browser)
    print(browser.screenshot("run-charts"))
    ids = list(pair.values())
    browser.resize(1280, 1100)
    browser.open(views.comparison_url(server, [experiment_id], ids), shows="Run details")
    browser.click("Visualizations", "[role=button], button")
    browser.wait_for(last)
    print(browser.screenshot("comparison"))
    if artifact:
        browser.resize(1400, 800)
        address = views.run_url(server, experiment_id, ids[-1], artifact)
        browser.open(address, shows=Path(artifact).name)
        browser.find("img[src^=blob], img[src*=artifact]")
        print(browser.screenshot("artifact"))


def _close_banner(browser: Browser) -> None:
    """Close the line that says whose view this is, as a reader would."""
    browser.driver.execute_script(
        "const text = [...document.querySelectorAll('div')].filter("
        '  e => e.innerText && e.innerText.startsWith("You\'re viewing a shared view")).pop();'
        "const close = text && text.closest('[role=alert]')?.querySelector('button[aria-label]');"
        "if (close) close.click();"
    )


def _pair(client: MlflowClient, experiment_id: str, names: list[str]) -> dict[str, str]:
    order = ["metrics.`test/recall_at_10` DESC"]
    best = client.search_runs([experiment_id], "attributes.status = 'FINISHED'", order_by=order)
    chosen = [run for run in best if not names or run.info.run_name in names]
    if len(chosen) < 2:
        raise SystemExit(f"A comparison needs two finished runs; found {len(chosen)}.")
    return {run.info.run_name: run.info.run_id for run in chosen[:2][::-1]}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", help="address of a running tracking server")
    parser.add_argument("--store", default="sqlite:///mlflow.db", help="store to serve otherwise")
    parser.add_argument("--experiment", default="recdistill")
    parser.add_argument("--runs", nargs="*", default=[], help="names of the two runs to compare")
    parser.add_argument("--artifact", default="", help="picture artifact of the second run")
    parser.add_argument("--out", type=Path, default=Path("docs/assets"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
