"""Notebooks as pages: those of ``notebooks/``, with results where ``make notebooks`` left them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
EXECUTED = ROOT / "build" / "notebooks"
NOT_RUN = "*Shown without results: `make notebooks` runs it.*\n\n"


def on_files(files: Any, *, config: Any) -> Any:
    """Add one page for every notebook."""
    for source in sorted((ROOT / "notebooks").glob("*.ipynb")):
        files.append(File.generated(config, f"notebooks/{source.stem}.md", content=page(source)))
    return files


def page(source: Path) -> str:
    """Return a notebook as Markdown, executed if this very notebook was executed."""
    notebook = nbformat.read(source, as_version=4)
    executed = EXECUTED / source.name
    results = nbformat.read(executed, as_version=4) if executed.is_file() else None
    if results and [c.source for c in results.cells] == [c.source for c in notebook.cells]:
        return "\n\n".join(map(cell, results.cells))
    first, *rest = map(cell, notebook.cells)
    return "\n\n".join([first, NOT_RUN, *rest])


def cell(one: Any) -> str:
    """Return a cell and what it printed, drew or answered."""
    if one.cell_type == "markdown":
        return str(one.source)
    return "\n\n".join([f"```python\n{one.source}\n```", *map(result, one.outputs)])


def result(output: Any) -> str:
    """Return one output in the richest form a page can show."""
    if output.output_type == "stream":
        return "" if output.name == "stderr" else f"```text\n{output.text.rstrip()}\n```"
    data = output.get("data", {})
    if "image/png" in data:
        return f'<img alt="plot" src="data:image/png;base64,{data["image/png"].strip()}">'
    if "text/html" in data:
        return plain_table(data["text/html"])
    return f"```text\n{data.get('text/plain', '')}\n```"


def plain_table(html: str) -> str:
    """Return pandas' table without its own looks, on one line so that Markdown lets it be."""
    bare = re.sub(r"<style.*?</style>", "", html, flags=re.S)
    bare = re.sub(r' (?:border|class|style)="[^"]*"', "", bare)
    return " ".join(bare.split())
