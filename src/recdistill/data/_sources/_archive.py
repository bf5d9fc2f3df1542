"""Zip archives: found files are read whole, and nothing that could fill the memory."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LARGEST = 16 * 2**30
"""Bytes that one file may have when unpacked."""
_SMALL, _HIGHEST_RATIO = 64 * 2**20, 200
"""A log packs to a tenth or so of its size; a file built to fill the memory to a thousandth."""
_DAMAGES = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    OverflowError, IndexError, KeyError,
)  # fmt: skip


def read_members(
    path: Path, chosen: Callable[[list[str]], tuple[str, str | None]]
) -> tuple[dict[str, bytes], tuple[str, str | None]]:
    """Read the files of an archive that ``chosen`` picks among its names.

    Raises
    ------
    UserError
        For an archive that is damaged, encrypted or of unknown compression, or holds a file that
        is too large.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            picked = chosen([n for n in archive.namelist() if not n.endswith("/")])
            content = {}
            for name in picked:
                if name:
                    _refuse_a_bomb(archive.getinfo(name), path)
                    # No more than the size it declares is ever unpacked.
                    content[name] = archive.read(name)
            return content, picked
    except RuntimeError as error:  # also NotImplementedError, of a compression nobody knows
        why = "it is encrypted" if "encrypted" in str(error) else str(error)
    except _DAMAGES as error:
        why = str(error) or type(error).__name__
    raise UserError(
        f"{path} is not a readable zip archive ({why}): unpack it yourself and set data_path to "
        "the file or folder."
    )


def _refuse_a_bomb(info: zipfile.ZipInfo, path: Path) -> None:
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > LARGEST or (info.file_size > _SMALL and ratio > _HIGHEST_RATIO):
        raise UserError(
            f"{info.filename} in {path} is {info.file_size / 2**30:.1f} GiB when unpacked, "
            f"{ratio:,.0f} times its size in the archive: unpack it yourself if you trust it, and "
            "set data_path to the file."
        )
