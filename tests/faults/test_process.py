"""What a fork that plays a stage owes the process that it came from."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.faults.outcome import temporary
from tests.faults.process import start, wait_for


def test_a_fork_ends_what_it_began_and_nothing_of_its_parent(tmp_path: Path) -> None:
    def work() -> None:
        theirs = tempfile.TemporaryDirectory()
        Path("theirs.txt").write_text(theirs.name)
        globals()["_kept"] = theirs  # alive at the end of the process, as a library's is

    with tempfile.TemporaryDirectory(dir=tmp_path) as ours:
        assert wait_for(start(tmp_path, work)) == 0
        assert Path(ours).is_dir()
    assert not Path((tmp_path / "theirs.txt").read_text()).exists()
    temporary(tmp_path).rmdir()
