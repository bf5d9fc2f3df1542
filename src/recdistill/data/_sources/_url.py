"""MovieLens-1M from GroupLens, by its address and sha256."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import pooch

from recdistill.data._sources._cache import cache_folder
from recdistill.data._sources._files import read_archive
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import RawData

URL = "https://files.grouplens.org/datasets/movielens/ml-1m.zip"
SHA256 = "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20"
"""GroupLens publishes the md5 c4d9eecfca2ab87c1945afe126590906; this is the same file's sha256."""


def fetch(url: str = URL, sha256: str = SHA256) -> Path:
    """Return the archive from the cache, downloading it when it is not there.

    Raises
    ------
    UserError
        When the download fails or is another file than the pinned one.
    """
    from pathlib import Path

    pooch.get_logger().setLevel(logging.WARNING)
    folder = cache_folder()
    name = url.rsplit("/", 1)[-1]
    try:
        return Path(pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=name, path=folder))
    except ValueError:
        raise UserError(
            f"{url} is not the file this data set is pinned to (sha256 {sha256[:12]}...): "
            f"remove {folder / name} if it is there and try again, or give data_path."
        ) from None
    except Exception as error:  # pooch lets every network library's own exceptions through
        reason = str(error).split("(Caused by")[0].strip() or type(error).__name__
        raise UserError(
            f"{url} could not be downloaded ({reason[:200]}): check the network, or download it "
            f"elsewhere and set data_path to the zip (or put it into {folder})."
        ) from None


def load_ml_1m(config: DataConfig) -> RawData:
    """Read ratings.dat and movies.dat inside the archive."""
    raw, names = read_archive(fetch(), config)
    origin = {"url": URL, "sha256": SHA256, "files": names}
    return replace(raw, origin=origin)
