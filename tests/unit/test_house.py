"""Files that must agree with each other, do."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from recdistill.config import as_plain, merged, mlproject, stage_names
from recdistill.data import DataConfig, OnData

ROOT = Path(__file__).parents[2]
MENU = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]


def pins(lines: list[str]) -> dict[str, Version]:
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def requirements(project: dict[str, Any], *extras: str) -> list[Requirement]:
    """What the package itself and these extras ask for, extras that name others followed."""
    found = [Requirement(line) for line in project["dependencies"]]
    for extra in extras:
        for line in project["optional-dependencies"][extra]:
            asked = Requirement(line)
            found += requirements(project, *asked.extras) if asked.name == "recdistill" else [asked]
    return found


def test_conda_and_lock_pin_what_pyproject_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())
    by_pip = pins(next(d["pip"] for d in conda["dependencies"] if isinstance(d, dict)))
    locked = pins((ROOT / "requirements.lock").read_text().split())
    everything = requirements(project, "dev", "docs", "server")
    for asked in everything:
        version = locked[canonicalize_name(asked.name)]
        assert asked.specifier.contains(version), f"the lock has {version}, not {asked}"
        bounds = {one.operator for one in asked.specifier}
        assert bounds in ({">=", "<"}, {"=="}), f"{asked} has no two ends"
    direct = {canonicalize_name(asked.name) for asked in requirements(project, "llm")}
    assert by_pip == {name: locked[name] for name in direct}


@pytest.mark.parametrize("name", MENU)
def test_entry_point_has_its_stage_its_settings_file_and_passes_what_it_declares(name: str) -> None:
    entry = MENU[name]
    stage_file = ROOT / "projects" / f"{name}.py"
    assert entry["command"].startswith(f"python -m projects.{name}")
    assert (ROOT / "conf" / f"{name}.yaml").is_file()
    parameters = entry.get("parameters", {})
    for parameter in parameters:
        assert f"--{parameter} {{{parameter}}}" in " ".join(entry["command"].split())
    assert stage_file.is_file()
    config = importlib.import_module(f"projects.{name}").Config
    assert set(parameters) <= {f.name for f in fields(config)}


@pytest.mark.parametrize("name", MENU)
def test_the_settings_file_names_every_knob(name: str) -> None:
    config = importlib.import_module(f"projects.{name}").Config
    given = yaml.safe_load((ROOT / "conf" / f"{name}.yaml").read_text())
    # How data is read is documented once, in conf/prepare_data.yaml.
    elsewhere = {f.name for f in fields(OnData)} if name != "prepare_data" else set()
    assert_named(config, given, elsewhere, f"conf/{name}.yaml")


@pytest.mark.parametrize("name", MENU)
def test_the_settings_file_says_the_defaults_of_the_code(name: str) -> None:
    default = as_plain(importlib.import_module(f"projects.{name}").Config())
    given = yaml.safe_load((ROOT / "conf" / f"{name}.yaml").read_text())
    assert merged(default, given) == default


def assert_named(kind: type, given: dict[str, object], elsewhere: set[str], where: str) -> None:
    names = {f.name for f in fields(kind)}
    assert set(given) <= names, f"{where} names what does not exist: {set(given) - names}"
    assert names - set(given) <= elsewhere, f"{where} lacks {names - set(given) - elsewhere}"
    for name, hint in get_type_hints(kind).items():
        if name in given and isinstance(hint, type) and is_dataclass(hint):
            assert_named(hint, given[name], set(), f"{where}, {name}")  # type: ignore[arg-type]


def test_finished_runs_are_known_by_the_data_whole() -> None:
    sources = {p.stem: p.read_text() for p in (ROOT / "projects").glob("[a-z]*.py")}
    reusing = {name for name, source in sources.items() if ".already_done(" in source}
    assert {"update", "distill", "train_baseline"} <= reusing
    # A split holds numbers of items: with other words of theirs its digest is the same.
    assert {name for name in reusing if "data.inputs()" not in sources[name]} == set()


@pytest.mark.parametrize("name", stage_names())
def test_a_setting_of_the_data_means_one_thing_in_every_stage(name: str) -> None:
    config = importlib.import_module(f"projects.{name}").Config
    # A backtest cuts other windows by default; they are windows of the data all the same.
    own = set(config.__annotations__) - {"rolling"} if issubclass(config, OnData) else set()
    assert own & {f.name for f in fields(DataConfig)} == set()


@pytest.mark.parametrize("name", stage_names())
def test_finished_runs_are_known_by_the_files_of_an_encoder(name: str) -> None:
    known = {f.name for f in fields(importlib.import_module(f"projects.{name}").Config)}
    source = (ROOT / "projects" / f"{name}.py").read_text()
    if "encoder" in known and ".already_done(" in source:
        assert "encoder_input(" in source


def test_the_menu_is_what_the_settings_make_it() -> None:
    assert (ROOT / "MLproject").read_text() == mlproject(), "run: make menu"
    stages = {path.stem for path in (ROOT / "projects").glob("[a-z]*.py")}
    inner = {"ladder", "trial"}  # started by diagnose and audit_language, by nobody else
    assert stages - inner == set(stage_names())


@pytest.mark.parametrize(
    "room", sorted(p.parent.name for p in (ROOT / "src" / "recdistill").glob("*/__init__.py"))
)
def test_a_room_hands_out_what_it_promises(room: str) -> None:
    opened = importlib.import_module(f"recdistill.{room}")
    # Nothing is imported for it: a name stands at the door, or says where it comes from.
    assert sorted(set(getattr(opened, "__all__", ())) - set(dir(opened))) == []


def test_no_file_names_this_machine_or_a_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.yaml", "*.toml", "*.sh", "MLproject", "Makefile"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.split()  # fmt: skip
    if not listed:
        pytest.skip("not a git checkout")
    bad = re.compile(r"(?:/(?:root|home/\w+|work)/|index-url *[=:] *\"?https?://)")
    found = [n for n in listed if (ROOT / n).is_file() and bad.search((ROOT / n).read_text())]
    assert found == []
