"""A content key changes with every line that the stage can run, and with nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recdistill.runs import _content_key
from recdistill.runs._content_key import code_digest, imported_files, project_roots

HERE = Path(__file__).parents[3]
STAGES = ["train_teacher", "ladder"]


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A copy of the tree, to be changed."""
    folder = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("projects", "src", "docs"):
        shutil.copytree(HERE / name, folder / name, ignore=ignored)
    return {"projects": folder / "projects", "recdistill": folder / "src" / "recdistill"}


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_each_imported_file_changes_the_key(
    roots: dict[str, Path], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_digest(stage, roots)
    files = imported_files(f"projects.{stage}", roots)
    assert len(files) > 50
    # A comment imports nothing: following all imports again for every file takes a minute.
    monkeypatch.setattr(_content_key, "imported_files", lambda *_: files)
    for name, path in files.items():
        text = path.read_bytes()
        path.write_bytes(text + b"\n# changed")
        assert code_digest(stage, roots) != before, name
        path.write_bytes(text)
    monkeypatch.undo()
    assert imported_files(f"projects.{stage}", roots) == files
    assert code_digest(stage, roots) == before


def test_pages_and_other_stages_leave_the_key_alone(roots: dict[str, Path]) -> None:
    before = code_digest("train_baseline", roots)
    pages = list((roots["projects"].parent / "docs").rglob("*.md"))
    assert pages
    for path in [*pages, roots["projects"] / "sweep.py", roots["projects"] / "distill.py"]:
        path.write_text(path.read_text() + "\n# changed\n")
    (roots["projects"] / "test_new.py").write_text("")
    assert code_digest("train_baseline", roots) == before


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_that_python_imports_is_missed(stage: str) -> None:
    """The static walk sees at least what importing the stage loads."""
    code = f"import sys, projects.{stage}; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=HERE, capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in loaded if name.split(".")[0] in ("projects", "recdistill")}
    assert len(ours) > 20
    assert ours <= set(imported_files(f"projects.{stage}", project_roots()))


def test_every_way_to_import_is_followed(tmp_path: Path) -> None:
    lines = {
        "projects/__init__.py": "",
        "projects/stage.py": "from projects import plain\nfrom projects._sub.deep import thing\n"
        "def f():\n    try:\n        from . import inside\n    except ImportError:\n"
        "        import projects.handler\n    import_module('projects.by_name')\n"
        "    Path(__file__).with_name('as_file.py')\n"
        "if TYPE_CHECKING:\n    from projects import for_types\n",
        "projects/_sub/__init__.py": "_HOMES = {'late': '_late'}\n",
        "projects/_sub/deep.py": "from ..above import x\nmatch 1:\n"
        "  case 1:\n    import projects.m\n",
        "projects/_sub/table.yaml": "a: 1\n",
    }
    others = ["plain", "inside", "handler", "by_name", "as_file", "for_types", "above", "m"]
    lines |= {f"projects/{name}.py": "" for name in [*others, "unused", "_sub/_late"]}
    for name, text in lines.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    roots = {"projects": tmp_path / "projects", "recdistill": tmp_path / "recdistill"}
    found = {name.removeprefix("projects") for name in imported_files("projects.stage", roots)}
    wanted = {f".{name}" for name in others if name != "for_types"}
    assert found == wanted | {
        "",
        ".stage",
        "._sub",
        "._sub.deep",
        "._sub._late",
        "._sub/table.yaml",
    }


def test_another_version_of_a_library_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest("prepare_data")
    monkeypatch.setattr(_content_key.metadata, "version", lambda name: "0.0")
    assert code_digest("prepare_data") != before


def test_a_key_costs_little() -> None:
    cost = []
    for _ in range(3):
        _content_key._names_in.cache_clear()
        began = time.process_time()
        code_digest("distill")
        cost.append(time.process_time() - began)
    assert min(cost) < 1.0  # some 0.2 s on a quiet machine
