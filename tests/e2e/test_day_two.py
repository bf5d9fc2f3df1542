"""The page from an own file to a service, followed word by word on a tiny shop."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import requests
from _servers import ROOT, environment, free_port, running

from tests.documents import blocks, commands

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

PAGE = Path("docs/guides/from_your_data_to_a_service.md")
# Few epochs of a narrow network; the words of the page stay.
SMALL = {"train_baseline": ["--max_epochs=2", "--student.dim=16"]}
STORY, ASK, TEXTS = (commands(block) for block in blocks(PAGE, "bash"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's files: forty customers, fifty things, one settings file."""
    folder = tmp_path_factory.mktemp("shop")
    drawn = np.random.default_rng(0)
    orders = [
        f"c{customer},sku-{drawn.integers(50)},{1000 + i}"
        for customer in range(40)
        for i in range(drawn.integers(6, 14))
    ]
    folder.joinpath("orders.csv").write_text("\n".join(["customer,sku,ordered_at", *orders]))
    kinds = ("cup", "plate", "lamp")
    items = [f"sku-{i},{kinds[i % 3]} number {i}" for i in range(50)]
    folder.joinpath("items.csv").write_text("\n".join(["sku,name", *items]))
    (settings,) = [block for block in blocks(PAGE, "yaml") if block.file_name]
    folder.joinpath(settings.file_name).write_text(settings.text)
    return folder


def follow(words: list[str], folder: Path) -> str:
    """Run one of the page's commands as its reader does, made small; return what it said."""
    assert words[0] == "recdistill"
    done = subprocess.run(
        [sys.executable, "-m", *words, *SMALL.get(words[1], [])],
        cwd=folder, env=here(folder), capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def here(folder: Path) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    return environment(MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db", PYTHONPATH=paths)


@pytest.fixture(scope="module")
def served(shop: Path) -> Iterator[str]:
    """Address of the service that the page's last command starts, after the others."""
    *before, serve = STORY
    assert len(STORY) == 6
    said = [follow(words, shop) for words in before]
    assert "40" in said[0]
    assert "recdistill-shop@champion is version 1" in said[-1]
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", *serve, f"--port={url.rsplit(':', 1)[1]}"]
    with running(command, url, shop / "serve.log", here(shop)):
        yield url


def test_six_commands_lead_from_a_file_to_a_service(served: str) -> None:
    (curl,) = ASK
    body = curl[curl.index("-d") + 1]
    answer = requests.post(
        f"{served}/invocations", body, headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["predictions"]
    assert len(row["items"]) == 3
    assert not {"sku-3", "sku-7"} & set(row["items"])
    assert all(title.split()[0] in ("cup", "plate", "lamp") for title in row["titles"])


def test_a_student_has_the_texts_of_its_baseline(shop: Path, served: str) -> None:
    *_, asked, taught = [follow(words, shop) for words in TEXTS]
    assert "Teachers and weights: sasrec-text-s0-baseline" in asked
    assert "against baseline sasrec-text-s0-baseline" in taught
