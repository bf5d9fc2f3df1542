"""Chromium, driven far enough to see what people see in the MLflow UI."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("SE_OFFLINE", "true")  # selenium must not fetch a driver

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
# The assistant's panel, and the guide to another kind of project.
_CLICKED_AWAY = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
    "mlflow.workflowType_v1": '"machine_learning"',
}


class Browser:
    """One headless Chromium with an empty profile; screenshots go to ``folder``."""

    def __init__(self, folder: Path) -> None:
        options = Options()
        options.binary_location = str(CHROMIUM)
        for flag in _FLAGS:
            options.add_argument(flag)
        self.driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
        self.folder = folder
        self.resize(1500, 800)

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.driver.quit()

    def resize(self, width: int, height: int) -> None:
        """Give the page (not the window around it) this size in pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, url: str, *, shows: str) -> None:
        """Load ``url`` and wait until the text ``shows`` stands on the page."""
        self.driver.get("about:blank")  # between two addresses of one app nothing would reload
        self.driver.get(url)
        self.wait_for(shows)

    def click_away(self, server: str) -> None:
        """Settle, for a plain MLflow server, what a person would click away once."""
        self.driver.get(f"{server}/health")
        for key, value in _CLICKED_AWAY.items():
            self.driver.execute_script("localStorage.setItem(...arguments)", key, value)

    def wait_for(self, text: str, seconds: float = 30) -> None:
        """Wait until ``text`` stands on the page; fail with a screenshot of what stands there."""
        if not _within(seconds, lambda: text in self.text()):
            picture = self.screenshot("failed-wait")
            raise AssertionError(f"'{text}' did not appear; see {picture}. Page: {self.text()}")

    def text(self) -> str:
        """Everything readable on the page, without what is only in the markup."""
        return str(
            self.driver.execute_script("return document.body ? document.body.innerText : ''")
        )

    def find(self, selector: str) -> WebElement:
        """Return the first visible element of a CSS selector, waiting for it."""
        found: list[WebElement] = []

        def look() -> bool:
            seen = self.driver.find_elements(By.CSS_SELECTOR, selector)
            found[:] = [element for element in seen if element.is_displayed()]
            return bool(found)

        if not _within(15, look):
            raise AssertionError(f"no visible {selector}; see {self.screenshot('failed-find')}")
        return found[0]

    def click(self, text: str, selector: str = "button, a, [role=tab], [role=menuitem]") -> None:
        """Click the first visible element of ``selector`` that reads ``text``."""

        def look() -> bool:
            for element in self.driver.find_elements(By.CSS_SELECTOR, selector):
                if element.is_displayed() and element.text.strip() == text:
                    element.click()
                    return True
            return False

        if not _within(15, look):
            raise AssertionError(
                f"nothing to click reads '{text}'; {self.screenshot('failed-click')}"
            )

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the page as ``<name>.png`` and return where it lies."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{name}.png"
        self.driver.save_screenshot(str(path))
        return path


def _within(seconds: float, happens: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if happens():
            return True
        time.sleep(0.2)
    return False
