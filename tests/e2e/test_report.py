"""The report as a reader opens it: light, dark, on paper, without network."""

from __future__ import annotations

import base64
import shutil
import sys
from typing import TYPE_CHECKING

import mlflow
import pytest
from _servers import ROOT
from mlflow import MlflowClient

from recdistill.reporting import (
    Resampling,
    compare_groups,
    load_groups,
    render_language_audit,
    select_runs,
    write_report,
)

sys.path.append(str(ROOT))
from tests.unit.audit.small_audits import audited
from tests.unit.reporting.small_runs import Store

if TYPE_CHECKING:
    from pathlib import Path

    from _browser import Browser

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Path:
    """A report over two models in two seeds and a floor."""
    folder = tmp_path_factory.mktemp("report")
    shutil.copy(empty_database, folder / "mlflow.db")
    before, uri = mlflow.get_tracking_uri(), f"sqlite:///{folder}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    client = MlflowClient(uri)
    experiment = client.create_experiment("reports", artifact_location=str(folder / "artifacts"))
    store = Store(client, folder, experiment)
    for seed in (0, 1):
        store.write("sasrec", seed=seed, strength=2.0)
        store.write("sasrec", seed=seed, strength=2.3, stage="distill", name=f"lam0.3-s{seed}")
    store.write("popularity", strength=0.8)
    runs = select_runs(client, "tags.dataset = 'tiny'")
    comparison = compare_groups(load_groups(runs), resampling=Resampling(300, 0))
    write_report(comparison, folder / "report", title="Does distillation help?")
    mlflow.set_tracking_uri(before)
    return folder / "report" / "report.html"


def background(browser: Browser) -> list[int]:
    script = "return getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).slice(0, 3)"
    return [int(value) for value in browser.driver.execute_script(script)]


@pytest.mark.parametrize(("scheme", "is_light"), [("light", True), ("dark", False)])
def test_report_follows_the_readers_color_scheme(
    page: Path, browser: Browser, scheme: str, is_light: bool
) -> None:
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    browser.resize(1200, 1600)
    browser.open(page.as_uri(), shows="Does distillation help?")
    browser.screenshot(f"report-{scheme}")
    assert (sum(background(browser)) > 3 * 128) is is_light
    loaded = browser.driver.execute_script("return performance.getEntriesByType('resource').length")
    assert loaded == 0  # one file: it reads the same without network
    wide = "return document.documentElement.scrollWidth <= innerWidth"
    assert browser.driver.execute_script(wide)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.resize(1500, 800)


def test_report_prints_on_white_without_cutting(page: Path, browser: Browser) -> None:
    browser.open(page.as_uri(), shows="Does distillation help?")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert sum(background(browser)) > 3 * 240
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    content = base64.b64decode(printed["data"])
    browser.folder.mkdir(parents=True, exist_ok=True)
    (browser.folder / "report.pdf").write_bytes(content)
    assert content.startswith(b"%PDF")


def test_every_figure_has_a_twin_for_slides(page: Path) -> None:
    twins = list((page.parent / "plots").glob("*.png"))
    assert len(twins) == page.read_text().count("<figure")


@pytest.mark.parametrize(("scheme", "is_light"), [("light", True), ("dark", False)])
def test_the_audit_of_language_is_a_page_of_the_same_house(
    tmp_path: Path, browser: Browser, scheme: str, is_light: bool
) -> None:
    found = audited({"tfidf": 1.0, "minilm": 1.2, "minilm-random": 1.0}, minilm={"popular": 0.4})
    page = tmp_path / "report.html"
    page.write_text(render_language_audit(found, "r1"), encoding="utf-8")
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    browser.resize(1200, 2600)
    browser.open(page.as_uri(), shows="What language adds on tiny")
    browser.screenshot(f"language-{scheme}")
    assert (sum(background(browser)) > 3 * 128) is is_light
    wide = "return document.documentElement.scrollWidth <= innerWidth"
    assert browser.driver.execute_script(wide)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.resize(1500, 800)
