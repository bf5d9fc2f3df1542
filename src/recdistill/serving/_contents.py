"""What a scoring was made from, as digests: a path may name other rows tomorrow.

They stand in the folder of results beside the settings, so that parts of yesterday's users are
never taken for today's.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from recdistill.checksums import file_sha256
from recdistill.errors import UserError
from recdistill.serving._histories import files_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from recdistill.data import Sequences


def contents_of_users(path: Path) -> str:
    """Return a digest of a Parquet file, or of all that are read of a folder, in their order.

    Raises
    ------
    UserError
        When they cannot be read.
    """
    try:
        return _joined(file_sha256(file) for file in files_of(path))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}.") from None


def contents_of_everybody(users: NDArray[np.object_], histories: Sequences) -> str:
    """Return a digest of everybody's histories; see ``data.whole_histories``."""
    offsets, items = histories.offsets.astype("<i8"), histories.items.astype("<i4")
    content = ("\x1e".join(users).encode(), offsets.tobytes(), items.tobytes())
    return _joined(hashlib.sha256(one).hexdigest() for one in content)


def contents_of_student(folder: Path, *, with_new_items: bool) -> dict[str, str]:
    """Return digests of a packaged student, by what they are of.

    Vectors of new items are computed whenever it is packaged, and their last bits are another
    machine's: there the catalog stands for them, for the run of the student gives the rest.
    """
    if with_new_items:
        return {"contents of new_items": file_sha256(folder / "catalog.csv")}
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {"contents of the student": _joined(file_sha256(path) for path in files)}


def _joined(digests: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:32]
