"""What a stage's process has in the temporary folder is its own, and goes with it or after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recdistill.runs._dead_runs import process_tags
from recdistill.runs._temporary import clear_dead_folders, own_temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "recdistill-tmp-*"


@dataclass(frozen=True)
class Place:
    """A temporary folder that is the system's for this test."""

    path: Path

    def process(self, then: str) -> subprocess.Popen[str]:
        """Start a process that has a folder of its own, says so, and then does ``then``."""
        code = (
            "import os, signal, subprocess, sys, tempfile\n"
            "from recdistill.runs._temporary import own_temporary_folder\n"
            "own_temporary_folder()\n"
            "print(tempfile.mkdtemp(), flush=True)\n"
        )
        return subprocess.Popen(
            [sys.executable, "-c", code + then],
            env=os.environ | {"TMPDIR": str(self.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.glob(NAME))


@pytest.fixture
def place(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    tmp_path_factory.getbasetemp()  # chosen on first use: not within what goes with this test
    with tempfile.TemporaryDirectory() as short:  # pytest's own are longer than a socket's path
        monkeypatch.setattr(tempfile, "tempdir", short)
        monkeypatch.setenv("TMPDIR", short)
        yield Place(Path(short))


def test_everything_temporary_goes_with_the_process(place: Place) -> None:
    process = place.process("")
    made, _ = process.communicate(timeout=60)
    assert Path(made.strip()).relative_to(place.path).parts[0].startswith("recdistill-tmp-")
    assert process.returncode == 0
    assert not list(place.path.iterdir())


def test_what_multiprocessing_keeps_there_goes_before_it_without_a_word(place: Place) -> None:
    """A sweep imports multiprocessing before it has a folder; its workers' sockets lie there."""
    code = (
        "from multiprocessing import util\n"
        "from recdistill.runs._temporary import own_temporary_folder\n"
        "own_temporary_folder()\n"
        "util.get_temp_dir()\n"
    )
    environment = os.environ | {"TMPDIR": str(place.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert place.names() == []


def test_the_next_one_removes_what_a_killed_one_left_and_nothing_of_a_living_one(
    place: Place,
) -> None:
    living = place.process("input()")
    assert living.stdout is not None
    theirs = Path(living.stdout.readline().strip())
    killed = place.process("os.kill(os.getpid(), signal.SIGKILL)")
    assert killed.wait(60) == -signal.SIGKILL
    assert len(place.names()) == 2
    assert len(clear_dead_folders(place.path)) == 1
    assert theirs.is_dir()
    living.communicate("\n", timeout=60)
    assert not place.names()


@pytest.mark.slow
def test_what_a_killed_notebook_fetched_goes_with_the_next_stage(place: Place) -> None:
    code = (
        "import os, signal\n"
        "from recdistill.runs._passing import passing_folder\n"
        "passing_folder()\n"
        "if {killed}: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for killed, n_left in ((False, 0), (True, 1)):
        program = [sys.executable, "-c", code.format(killed=killed)]
        subprocess.run(program, env=os.environ | {"TMPDIR": str(place.path)}, check=False)
        assert len(list(place.path.iterdir())) == n_left
    assert len(clear_dead_folders(place.path)) == 1


def test_a_stage_that_a_stage_started_has_its_own_beside_it(place: Place) -> None:
    then = (
        "if len(sys.argv) == 1:\n"
        "    again = subprocess.run([sys.executable, '-c', CODE, 'inner'], capture_output=True)\n"
        "    print(again.stdout.decode(), flush=True)\n"
    )
    process = place.process(f"CODE = {_INNER!r}\n{then}")
    said, _ = process.communicate(timeout=60)
    outer, inner = [Path(line) for line in said.split()]
    assert outer.parent != inner.parent
    assert outer.parent.parent == inner.parent.parent == place.path
    assert not place.names()


_INNER = (
    "import tempfile\n"
    "from recdistill.runs._temporary import own_temporary_folder\n"
    "own_temporary_folder()\n"
    "print(tempfile.mkdtemp(), flush=True)\n"
)


def test_a_forked_child_takes_nothing_of_its_parents(place: Place) -> None:
    process = place.process(
        "child = os.fork()\n"
        "if child:\n    os.waitpid(child, 0)\n    print(os.listdir(tempfile.gettempdir()))\n"
    )
    said, _ = process.communicate(timeout=60)
    assert "owner.json" in said


@pytest.mark.parametrize(
    ("owner", "age", "goes"),
    [
        (None, 3600, True),
        (None, 0, False),  # somebody is about to sign it
        ("no JSON", 3600, True),
        ({"process.host": "elsewhere", "process.pid": "1", "process.started": "0"}, 3600, False),
        ({"process.pid": "1", "process.started": "0"}, 3600, True),
    ],
)
def test_whose_it_is_decides(
    place: Place, owner: dict[str, str] | str | None, age: float, goes: bool
) -> None:
    folder = place.path / "recdistill-tmp-abcdefgh"
    folder.mkdir()
    if isinstance(owner, str):
        (folder / "owner.json").write_text(owner)
    elif owner is not None:
        here = {"process.host": process_tags()["process.host"]}
        (folder / "owner.json").write_text(json.dumps(here | owner))
    os.utime(folder, (time.time() - age,) * 2)
    assert (clear_dead_folders(place.path) == [folder.name]) is goes


def test_a_link_is_not_followed(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").touch()
    (place.path / "recdistill-tmp-abcdefgh").symlink_to(elsewhere)
    clear_dead_folders(place.path)
    assert (elsewhere / "kept").exists()


def test_a_temporary_folder_that_takes_nothing_is_not_this_ones_trouble(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = place.path / ("long" * 30)
    long.mkdir()
    for taken in (place.path / "gone", long):  # no socket could be bound in the long one
        monkeypatch.setattr(tempfile, "tempdir", str(taken))
        own_temporary_folder()
        assert tempfile.gettempdir() == str(taken)
