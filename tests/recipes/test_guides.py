"""The guides followed word by word, on a small slice: their files written, their commands run."""

from __future__ import annotations

import contextlib
import importlib
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.documents import blocks, commands, stage_call
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe

EXECUTED = [
    "docs/library.md",
    "docs/guides/reading_a_comparison.md",
    "docs/guides/another_student.md",
    "docs/differences_from_the_papers.md",
]
NEW_TERM = Path("docs/guides/a_new_loss_term.md")
OWN_DATA = Path("docs/guides/your_own_data.md")


@pytest.mark.parametrize("document", EXECUTED)
def test_the_python_of_a_page_runs_and_prints_what_it_says(document: str, workshop: Path) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    printed = ""
    for block in blocks(Path(document)):
        if block.language == "python":
            slice_of_it = block.text.replace("max_users=200", "max_users=40")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(slice_of_it, f"{document}:{block.line}", "exec"), names)
            printed = out.getvalue()
        elif block.marker == "output":
            assert printed.strip() == block.text.strip()
    assert names.keys() - {"__name__", "__builtins__"}


def test_the_readme_shows_the_same_ten_lines() -> None:
    (readme,) = blocks(Path("README.md"), "python")
    assert readme.text == blocks(Path("docs/library.md"), "python")[0].text
    lines = [line for line in readme.text.splitlines() if line and not line.startswith("from ")]
    assert len(lines) <= 10


def write_files(document: Path, folder: Path) -> list[Path]:
    """Write every file that a guide shows, and return them."""
    shown = [block for block in blocks(document) if block.file_name]
    for block in shown:
        (folder / block.file_name).write_text(block.text + "\n")
    return [folder / block.file_name for block in shown]


def follow(document: Path, recipe: Recipe, small: dict[str, list[str]]) -> dict[str, Any]:
    """Run a guide's commands in their order, made small; return the last run of each stage.

    What reads from an object store is left out.
    """
    runs = {}
    for block in blocks(document, "bash"):
        for words in commands(block):
            if words[0] == "export" or any("s3://" in word for word in words):
                continue  # tests/e2e/test_files_in_a_store.py has a store
            called = stage_call(words)
            assert called, words
            stage, flags = called
            runs[stage] = recipe(stage, *flags, *small.get(stage, []))
    return runs


def test_a_new_loss_term_takes_one_file_and_one_line(
    recipe: Recipe, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(workshop)
    monkeypatch.setitem(sys.modules, "order", None)
    monkeypatch.delitem(sys.modules, "order")
    floor = recipe("train_baseline", "--model=ease", *SMALL).info.run_id
    recipe("export_teacher", f"--teacher_run={floor}", "--folds=2", "--top_k=10", *SMALL)
    recipe("train_baseline", *SMALL, *TINY_STUDENT)
    files = write_files(NEW_TERM, workshop)
    assert [file.name for file in files] == [
        "order.py",
        "test_order.py",
        "taught_in_order.yaml",
        "order_space.yaml",
    ]
    few = ["--n_trials=2", "--workers=1", "--n_seeds=0"]
    small = {"distill": SMALL, "diagnose": SMALL, "sweep": [*SMALL, *few]}
    runs = follow(NEW_TERM, recipe, small)
    assert runs["sweep"].data.metrics["sweep/n_complete"] == 2
    taught = runs["distill"].data.metrics
    assert taught["train/loss_order"] > 0
    assert taught["train/weight_order"] == pytest.approx(0.3)
    assert taught["train/gradient_order"] > 0
    assert "train/loss_listwise" not in taught
    assert importlib.import_module("order").Order.name == "order"


def test_a_new_data_set_takes_no_code(recipe: Recipe, workshop: Path) -> None:
    random = np.random.default_rng(0)
    lines = [
        f"c{customer},sku-{random.integers(50)},{1000 + i}"
        for customer in range(40)
        for i in range(random.integers(4, 12))
    ]
    (workshop / "orders.csv").write_text("customer,sku,ordered_at\n" + "\n".join(lines) + "\n")
    write_files(OWN_DATA, workshop)
    runs = follow(OWN_DATA, recipe, {"train_baseline": TINY_STUDENT})
    assert runs["prepare_data"].data.metrics["data/n_users"] == 40
    assert runs["prepare_data"].data.tags["dataset"] == "shop"
    assert runs["train_baseline"].data.params["config.model"] == "sasrec"
    assert runs["train_baseline"].data.metrics["test/n_users"] == 40
    assert runs["compare"].data.tags["dataset"] == "shop"
