"""Every notebook runs from top to bottom on small data, and lies in git without results."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_results_are_stripped(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_opens_with_a_question_and_ends_with_a_finding(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert "**What this answers:**" in cells[0].source
    assert any(c.source.startswith("## What it found") for c in cells[-4:])


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(
    path: Path, tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set RECDISTILL_NOTEBOOKS to a folder to keep the executed notebooks (`make notebooks`)."""
    nbclient = pytest.importorskip("nbclient", reason="notebooks run by nbclient (extra docs)")
    pytest.importorskip("ipykernel", reason="notebooks run in ipykernel (extra docs)")
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
    if kept := os.environ.get("RECDISTILL_NOTEBOOKS"):
        folder = ROOT / kept
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, folder / path.name)
