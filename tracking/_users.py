"""Who the services run as: never root, and nobody whom another program runs as.

Started by an ordinary user, everything runs as that user. Started by root, PostgreSQL runs as its
own user of the system, and MLflow and the object store as a number without an account, taken from
the range that systemd keeps for the same purpose (61184-65519) and remembered as the owner of their
folders. Such a user owns nothing else on the machine, can log in nowhere, and is not ``nobody``,
whom other services may share.
"""

from __future__ import annotations

import os
import pwd
import stat
import sys
import sysconfig
from pathlib import Path
from typing import Any

import psutil

import recdistill
from recdistill.errors import UserError

_NUMBERS = range(61184, 65520)
_CHECKOUT = Path(__file__).resolve().parents[1]


def as_user(name: str, folder: Path) -> dict[str, Any]:
    """Return the arguments of Popen that give up root; empty when there is no root to give up.

    Parameters
    ----------
    name : a user of the system; empty is the owner of ``folder``, or else a number without account.
    """
    if os.geteuid() != 0 or name == "root":
        return {}
    try:
        entry = pwd.getpwnam(name) if name else None
    except KeyError:
        raise UserError(
            f"This system has no user '{name}'; set system_user to one that it has."
        ) from None
    if entry:
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    number = folder.stat().st_uid if folder.exists() else 0
    if not number:
        taken = {entry.pw_uid for entry in pwd.getpwall()}
        taken |= {p.info["uids"].real for p in psutil.process_iter(["uids"]) if p.info["uids"]}
        number = next(number for number in _NUMBERS if number not in taken)
    return {"user": number, "group": number, "extra_groups": []}


def give(path: Path, identity: dict[str, Any]) -> Path:
    """Make a folder that is its user's alone (0700), with everything that is in it already."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    if identity and path.stat().st_uid != identity["user"]:
        for one in (path, *path.rglob("*")):
            os.chown(one, identity["user"], identity["group"], follow_symlinks=False)
    return path


def write_for(path: Path, text: str, identity: dict[str, Any]) -> Path:
    """Write a file that its user alone can read, in a folder where that user can change nothing."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        if identity:
            os.fchown(descriptor, identity["user"], identity["group"])
    return path


def python_for(identity: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return a Python that the user can run, and the environment that shows it our packages.

    Raises
    ------
    UserError
        When there is none, because Python or this checkout lies in a folder closed to others.
    """
    packages = sysconfig.get_paths()["purelib"]
    sources = [str(_CHECKOUT), str(Path(recdistill.__file__).resolve().parents[1]), packages]
    environment = {"PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    if not identity:
        return sys.executable, environment
    # A Python in root's home is of no use to others; Debian's of the same version reads the same
    # packages.
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    closed = [place for place in sources if not _open_to_others(Path(place))]
    for program in (sys.executable, system):
        if not closed and _open_to_others(Path(program)):
            return program, environment
    raise UserError(
        f"Started by root, the server runs as user {identity['user']}, who cannot read "
        f"{closed[0] if closed else os.path.realpath(sys.executable)}: move it out of a folder "
        "that is closed to others (chmod o+rx), start the server as an ordinary user, or accept "
        "that it runs as root with server.system_user: root."
    )


def _open_to_others(path: Path) -> bool:
    path = Path(os.path.realpath(path))
    if not path.exists():
        return False
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in path.parents]
    return all(mode & 0o001 for mode in modes) and path.stat().st_mode & 0o005 == 0o005
