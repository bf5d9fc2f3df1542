"""Servers and a browser for the whole tier; each is started once and ended by its id."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _servers import ROOT, TeamServer, environment, free_port, missing_for_team, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _browser import Browser


@pytest.fixture(scope="session")
def local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of ``tracking/local.sh`` on an empty store of its own."""
    folder = tmp_path_factory.mktemp("local-server")
    url = f"http://127.0.0.1:{free_port()}"
    env = environment(MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db")
    command = [str(ROOT / "tracking" / "local.sh"), url.rsplit(":", 1)[1]]
    with running(command, url, folder / "server.log", env):
        yield url


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Headless Chromium; pictures go to RECDISTILL_SCREENSHOTS or a temporary folder."""
    pytest.importorskip("selenium", reason="the browser is driven by selenium (extra dev)")
    from _browser import CHROMIUM, DRIVER, Browser

    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip(f"no {CHROMIUM} and {DRIVER}; apt-get install chromium chromium-driver")
    wished = os.environ.get("RECDISTILL_SCREENSHOTS")
    folder = Path(wished).absolute() if wished else tmp_path_factory.mktemp("screenshots")
    with Browser(folder) as opened:
        yield opened


@pytest.fixture(scope="session")
def team_server() -> Iterator[TeamServer]:
    """The team server on free ports: started, and ended, by ``python -m tracking``."""
    missing = missing_for_team()
    if missing:
        pytest.skip(missing)
    # Not pytest's temporary folder: PostgreSQL runs as another user, who could not enter it.
    with tempfile.TemporaryDirectory(prefix="recdistill-team-") as folder:
        Path(folder).chmod(0o755)
        server = TeamServer.configured(Path(folder))
        try:
            server.tracking("start")
            ports = server.listening()
            yield server
        finally:
            server.tracking("stop")
        assert server.listening() == []
        assert not [
            path for port in ports for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")
        ]
