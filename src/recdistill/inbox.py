"""Files that came, one a day, and the prepared folders that they became."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Inbox:
    """A folder of files whose names sort by time.

    Attributes
    ----------
    folder : Path
    note : Path
        A JSON file that says which files are taken in, and where. Without it every day is prepared,
        or found prepared, once more.
    """

    folder: Path
    note: Path

    def files(self) -> list[Path]:
        """Return the files in the order of their names.

        Raises
        ------
        UserError
            When there is none.
        """
        found = sorted(path for path in self.folder.glob("*") if path.is_file())
        if not found:
            raise UserError(
                f"The inbox {self.folder} holds no file: put a day's interactions there, one file "
                "a day, named so that their names sort by time."
            )
        return found

    def take_in(self, prepare: Callable[[Path, Path | None], Path]) -> list[Path]:
        """Prepare what is new, each file on top of those before it; return all folders in order.

        Parameters
        ----------
        prepare : callable
            Receives a file and the folder that it extends, None for the first file; returns the
            folder that it made, or found made. After a kill it is asked once more for the file that
            it was at.

        Raises
        ------
        UserError
            When a file came whose name sorts before one that is taken in.
        """
        taken, files = self._taken(), self.files()
        new = [file.name for file in files if file.name not in taken]
        if new and taken and new[0] < max(taken):
            raise UserError(
                f"{new[0]} came after {max(taken)} was taken in, and its name sorts before it: "
                "rename it so that it sorts last; late rows find their place in time."
            )
        folders: list[Path] = []
        for file in files:
            if file.name not in taken or not Path(taken[file.name]).is_dir():
                taken[file.name] = str(prepare(file, folders[-1] if folders else None))
                self._write(taken)
            folders.append(Path(taken[file.name]))
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
