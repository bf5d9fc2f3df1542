"""Take the pictures of the documentation from a tracking store with real runs.

    make demo 2>&1 | tee demo.log
    python tests/e2e/pictures.py --terminal demo.log          # what README and the home page show
    python tests/e2e/pictures.py --store sqlite:///shop.db --model recdistill-shop
    python tests/e2e/pictures.py --runs sasrec-s0 lam0.3-s0-distill --artifact evaluation/x.png

Starts ``tracking/local.sh`` on the store (or uses ``--server``), opens the UI in headless Chromium
and writes ``run-table.png``, ``run-charts.png``, ``compare.png``, ``report.png`` of the newest
report and, where asked, ``terminal.png`` and ``artifact.png``, or ``registry.png`` alone.
Without ``--runs`` the best runs of two stages are compared.
"""

from __future__ import annotations

import argparse
import html
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from _browser import Browser
from _servers import ROOT, environment, free_port, running
from mlflow import MlflowClient

from recdistill.runs import _views as views

if TYPE_CHECKING:
    from mlflow.entities import Run


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
        if options.model:
            browser = stack.enter_context(Browser(options.out))
            browser.click_away(server)
            _registry(browser, views.model_url(server, options.model), options.model)
            return
        client = MlflowClient(server)
        found = client.get_experiment_by_name(options.experiment)
        if found is None:
            raise SystemExit(f"There is no experiment '{options.experiment}' in this store.")
        views.save_views(client, found.experiment_id)
        pair = _pair(client, found.experiment_id, options.runs)
        browser = stack.enter_context(Browser(options.out))
        browser.click_away(server)
        _take(browser, server, found.experiment_id, pair, options.artifact)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _report(browser, client, found.experiment_id, folder)
        if options.terminal:
            terminal(browser, options.terminal.read_text(encoding="utf-8"), folder)


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
    print(browser.screenshot("compare"))
    if artifact:
        browser.resize(1400, 800)
        address = views.run_url(server, experiment_id, ids[-1], artifact)
        browser.open(address, shows=Path(artifact).name)
        browser.find("img[src^=blob], img[src*=artifact]")
        print(browser.screenshot("artifact"))


def _report(browser: Browser, client: MlflowClient, experiment_id: str, folder: Path) -> None:
    """Open the newest report as its reader does, without a server."""
    finished = "attributes.status = 'FINISHED' and tags.stage = 'compare'"
    newest = client.search_runs([experiment_id], finished, max_results=1)
    if newest:
        page = Path(client.download_artifacts(newest[0].info.run_id, "report.html", str(folder)))
        browser.resize(1200, 1150)
        browser.open(page.as_uri(), shows="NDCG@10")
        print(browser.screenshot("report"))


def _registry(browser: Browser, address: str, name: str) -> None:
    """Show a registered model: its versions with their aliases and what challenges came to."""
    browser.resize(1440, 760)
    browser.open(address, shows=name)
    browser.click("Description", "span, div, h2, h3, h4")
    browser.wait_for("is now")
    print(browser.screenshot("registry"))


def terminal(browser: Browser, text: str, folder: Path, *, command: str = "make demo") -> list[str]:
    """Show what a command printed, as a terminal does; return its lines."""
    lines = f"$ {command}\n{text}".rstrip().splitlines()
    style = "margin:0;padding:14px 18px;background:#1b1f24;color:#dfe3e8;font:13px/18px monospace"
    page = folder / "terminal.html"
    page.write_text(
        f'<meta charset="utf-8"><body style="margin:0"><pre style="{style}">'
        f"{html.escape(chr(10).join(lines))}</pre>",
        encoding="utf-8",
    )
    browser.resize(8 * max(map(len, lines)) + 40, 18 * len(lines) + 30)
    browser.open(page.as_uri(), shows=command)
    print(browser.screenshot("terminal"))
    return lines


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
    chosen = [run for run in best if run.info.run_name in names] if names else _best_of_stages(best)
    if len(chosen) < 2:
        raise SystemExit(f"A comparison needs two finished runs; found {len(chosen)}.")
    return {run.info.run_name: run.info.run_id for run in chosen[:2][::-1]}


def _best_of_stages(best: list[Run]) -> list[Run]:
    """Keep the best run of each stage, students and what they started from first."""
    first: dict[str, Run] = {}
    for run in best:
        if "test/recall_at_10" in run.data.metrics:
            first.setdefault(run.data.tags.get("stage", ""), run)
    told = [first.pop(stage) for stage in ("distill", "train_baseline") if stage in first]
    return [*told, *first.values()]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", help="address of a running tracking server")
    parser.add_argument("--store", default="sqlite:///mlflow.db", help="store to serve otherwise")
    parser.add_argument("--experiment", default="recdistill")
    parser.add_argument("--runs", nargs="*", default=[], help="names of the two runs to compare")
    parser.add_argument("--artifact", default="", help="picture artifact of the second run")
    parser.add_argument("--model", help="show this registered model, nothing else")
    parser.add_argument("--terminal", type=Path, help="a file with what `make demo` printed")
    parser.add_argument("--out", type=Path, default=Path("docs/assets"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
