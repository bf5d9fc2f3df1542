"""The team server started by an ordinary user runs as that user alone, and nothing needs root."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from _servers import ROOT, TeamServer, environment, missing_for_team
from _walk import family

from recdistill.errors import UserError
from tracking._users import python_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_for_team()), reason=missing_for_team() or "-"),
]


@pytest.fixture
def person() -> Iterator[pwd.struct_passwd]:
    """Somebody with an account on this machine and no right beyond it; made for this test."""
    if os.geteuid() != 0:
        yield pwd.getpwuid(os.geteuid())
        return
    if not shutil.which("useradd"):
        pytest.skip("no useradd here: no account can be made to run the server as")
    name = f"recdistill-{secrets.token_hex(3)}"
    subprocess.run(["useradd", "--system", "--no-create-home", name], check=True)
    try:
        yield pwd.getpwnam(name)
    finally:
        subprocess.run(["userdel", name], check=True)


def python_of(identity: dict[str, Any], folder: Path) -> str:
    """Make an environment that this user can use; it has the packages of the one that tests."""
    try:
        python, sources = python_for(identity)
    except UserError as closed:
        pytest.skip(str(closed))
    subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text(sources["PYTHONPATH"].replace(os.pathsep, "\n"))
    return str(folder / "bin" / "python")


def test_an_ordinary_user_starts_uses_and_ends_it(person: pwd.struct_passwd) -> None:
    identity = {"user": person.pw_uid, "group": person.pw_gid, "extra_groups": []}
    with tempfile.TemporaryDirectory(prefix="recdistill-team-") as name:
        folder = Path(name)
        python = python_of(identity, folder / "python") if os.geteuid() == 0 else sys.executable
        server = TeamServer.configured(folder)
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                os.chown(path, person.pw_uid, person.pw_gid)

        def tracking(*words: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [python, "-m", "tracking", "--settings", str(folder / "team.yaml"), *words],
                cwd=ROOT,
                env=environment(**server.secrets, PYTHONPATH="", HOME=name, TMPDIR=name),
                capture_output=True,
                text=True,
                check=False,
                timeout=400,
                **(identity if os.geteuid() == 0 else {}),
            )

        try:
            started = tracking("start")
            assert started.returncode == 0, started.stderr
            running = [
                one
                for service in ("postgres", "s3", "mlflow")
                for one in family(server.process_id(service))
            ]
            assert {process.uids() for process in running} == {(person.pw_uid,) * 3}
            address = f"{server.url}/api/2.0/mlflow/experiments/search?max_results=1"
            assert requests.get(address, timeout=30).status_code == 401
            assert requests.get(address, auth=(server.admin, server.password), timeout=30).ok
        finally:
            assert tracking("stop").returncode == 0
        assert server.listening() == []
