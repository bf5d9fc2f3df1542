"""Files that came, one a day, and the prepared folders that they became."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import object_store
from recdistill.errors import UserError
from recdistill.object_store import Address

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Inbox:
    """A folder of files, on a disk or in an object store, whose names sort by time.

    Attributes
    ----------
    folder : str
        A path, or an address ``s3://bucket/key`` of a folder of objects.
    note : Path
        A JSON file that says which files are taken in, and where. Without it every day is prepared,
        or found prepared, once more.
    """

    folder: str
    note: Path

    def files(self) -> dict[str, str]:
        """Return where each file lies, by its name, in the order of the names.

        Raises
        ------
        UserError
            When there is none, or the store cannot be read.
        """
        if object_store.is_address(self.folder):
            address = Address.parse(self.folder, "inbox")
            found = {name: str(address / name) for name in object_store.versions(address)}
        else:
            found = {p.name: str(p) for p in Path(self.folder).glob("*") if p.is_file()}
        if not found:
            raise UserError(
                f"The inbox {self.folder} holds no file: put a day's interactions there, one file "
                "a day, named so that their names sort by time."
            )
        return dict(sorted(found.items()))

    def take_in(self, prepare: Callable[[str, Path | None], Path]) -> list[Path]:
        """Prepare what is new, each file on top of those before it; return all folders in order.

        Parameters
        ----------
        prepare : callable
            Receives where a file lies and the folder that it extends, None for the first file;
            returns the folder that it made, or found made. After a kill it is asked once more for
            the file that it was at.

        Raises
        ------
        UserError
            When a file came whose name sorts before one that is taken in.
        """
        taken, files = self._taken(), self.files()
        new = [name for name in files if name not in taken]
        if new and taken and new[0] < max(taken):
            raise UserError(
                f"{new[0]} came after {max(taken)} was taken in, and its name sorts before it: "
                "rename it so that it sorts last; late rows find their place in time."
            )
        folders: list[Path] = []
        for name, place in files.items():
            if name not in taken or not Path(taken[name]).is_dir():
                taken[name] = str(prepare(place, folders[-1] if folders else None))
                self._write(taken)
            folders.append(Path(taken[name]))
        return folders

    def _taken(self) -> dict[str, str]:
        noted: dict[str, str] = {}
        if self.note.is_file():
            noted = json.loads(self.note.read_text("utf-8"))
        return noted

    def _write(self, taken: dict[str, str]) -> None:
        unfinished = self.note.with_suffix(".partial")
        unfinished.write_text(json.dumps(taken, indent=1) + "\n", "utf-8")
        unfinished.replace(self.note)
