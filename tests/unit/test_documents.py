"""Documentation is held to the code: commands exist, settings parse, links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from functools import cache
from pathlib import Path
from urllib.parse import urlparse

import click
import pytest
import yaml

import recdistill
from recdistill.config import parse
from tests.documents import DOCUMENTS, ROOT, anchors, blocks, commands, links, stage_call

MENU = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]
LANGUAGES = {"bash", "python", "yaml", "text", "ini", "nginx"}
SHELL = {"cd", "git", "export", "pip", "apt-get", "source", "curl", "ls", "optuna-dashboard"}
GENERATED = {"docs/reference/entry_points.md"}
BASH = [(d, b) for d in DOCUMENTS for b in blocks(d, "bash")]
PYTHON = [(d, b) for d in DOCUMENTS for b in blocks(d, "python")]


def where(value: object) -> str:
    """Name a document or a block in a test's id."""
    return str(value) if isinstance(value, Path) else f"line{getattr(value, 'line', '')}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=where)
def test_every_block_says_what_it_is(document: Path) -> None:
    for block in blocks(document):
        assert block.language in LANGUAGES, f"{document}:{block.line}"


@pytest.mark.parametrize(("document", "block"), BASH, ids=where)
def test_every_command_is_one_that_works(
    document: Path, block: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for words in commands(block):  # type: ignore[arg-type]
        check(words, f"{document}:{block.line}")  # type: ignore[attr-defined]


def check(words: list[str], place: str) -> None:
    """Hold one command to what it calls."""
    called = stage_call(words)
    if called:
        stage, flags = called
        assert stage in MENU, f"{place}: there is no entry point {stage}"
        if flags != ["--help"]:
            accept(stage, *(f for f in flags if not f.startswith("--config=")))
    elif words[0] == "make":
        makefile = (ROOT / "Makefile").read_text()
        for target in words[1:]:
            known = "=" in target or re.search(rf"^{re.escape(target)}:", makefile, re.M)
            assert known, f"{place}: make has no target {target}"
    elif words[:2] == ["python", "-m"]:
        check_module(words[2], words[3:], place)
    elif words[0] == "mlflow":
        check_mlflow(words[1:], place)
    elif words[0] not in ("recdistill", *SHELL):
        assert words[0].startswith(".venv/bin/"), f"{place}: nobody knows the command {words}"


@cache
def accept(stage: str, *flags: str) -> None:
    """Hold a command's flags to its stage; pages say many a command alike."""
    parse(importlib.import_module(f"projects.{stage}").Config, stage, flags)


def check_module(name: str, flags: list[str], place: str) -> None:
    """Hold ``python -m`` to the module's own words."""
    file = ROOT / f"{name.replace('.', '/')}.py"
    file = file if file.is_file() else file.with_suffix("") / "__main__.py"
    if not file.is_file():
        assert importlib.util.find_spec(name), f"{place}: there is no module {name}"
        return
    source = file.read_text()
    if name == "tracking":
        source += "".join(p.read_text() for p in (ROOT / "tracking").glob("*.py"))
    for flag in (f.split("=")[0] for f in flags if f.startswith("--")):
        assert f'"{flag}"' in source, f"{place}: {name} knows no {flag}"


def check_mlflow(words: list[str], place: str) -> None:
    """Hold an ``mlflow`` command to its options."""
    from mlflow.cli import cli

    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        assert found, f"{place}: mlflow has no command {words[0]}"
        command, words = found, words[1:]
    known = {
        o for parameter in command.params for o in (*parameter.opts, *parameter.secondary_opts)
    }
    for flag in (w.split("=")[0] for w in words if w.startswith("--")):
        assert flag in known, f"{place}: mlflow {command.name} knows no {flag}"


@pytest.mark.parametrize(("document", "block"), PYTHON, ids=where)
def test_every_python_block_is_executed_somewhere(document: Path, block: object) -> None:
    text, marker = block.text, block.marker  # type: ignore[attr-defined]
    compile(text, str(document), "exec")
    tested = (ROOT / "tests/recipes/test_guides.py").read_text()
    named = re.findall(r"tests/\S+\.py", marker)
    assert document.as_posix() in tested or (named and all((ROOT / n).is_file() for n in named))


@pytest.mark.parametrize("document", DOCUMENTS, ids=where)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in links(document):
        if urlparse(target).scheme:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if file.as_posix().endswith(".md") and "/notebooks/" in file.as_posix():
            file = ROOT / "notebooks" / f"{file.stem}.ipynb"
        assert file.exists(), f"{document}: {target}"
        if anchor and str(file.resolve().relative_to(ROOT)) not in GENERATED:
            known = anchors(file.resolve().relative_to(ROOT))
            assert anchor in known, f"{document}: {target}, but there is {sorted(known)}"
        elif anchor:
            assert anchor in MENU, f"{document}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=where)
def test_every_test_that_is_named_exists(document: Path) -> None:
    for file, name in re.findall(r"(tests/\S+?\.py)::(\w+)", (ROOT / document).read_text()):
        tree = ast.parse((ROOT / file).read_text())
        functions = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        assert name in functions, f"{document}: {file} has no {name}"


def test_the_japanese_quick_start_has_the_same_commands() -> None:
    pages = [*blocks(Path("README.md"), "bash"), *blocks(Path("docs/quick_start.md"), "bash")]
    english = [command for block in pages for command in commands(block)]
    japanese = [c for block in blocks(Path("README.ja.md"), "bash") for c in commands(block)]
    assert japanese
    assert [c for c in japanese if c not in english] == []


def test_every_metric_that_code_logs_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text()
    cells = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    known = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    known += [n.replace("<part>", part) for part in ("val", "test") for n in known if "<part>" in n]
    heads = {name.split("/")[0] for name in known} - {"<part>"}
    literal = re.compile(rf'"((?:{"|".join(heads)})/[\w{{}}/]+)"')
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "projects").glob("*.py")]
    logged = {name for source in sources for name in literal.findall(source.read_text())}
    # A literal whose end the code fills in says nothing that could be looked up.
    logged = {n for n in logged if not n.endswith("}") and n.split("/")[-1] not in FOLDERS}
    assert {name for name in logged if not any(fits(name, one) for one in known)} == set()


FOLDERS = {"data"}  # "study/data" and the like are artifacts


def fits(logged: str, documented: str) -> bool:
    """Whether a name in the code, with ``{...}``, can be one in the page, with ``<...>``."""
    documented = documented.replace("<k>", "10")
    ours, theirs = (re.sub(r"\{[^}]*\}|<[^>]+>", "x", name) for name in (logged, documented))
    patterns = [
        re.sub(r"\\\{.*?\\\}|<.*?>", "[^/]+", re.escape(name)) for name in (logged, documented)
    ]
    return bool(re.fullmatch(patterns[0], theirs) or re.fullmatch(patterns[1], ours))


def test_the_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert project["version"] == recdistill.__version__ == citation["version"]
