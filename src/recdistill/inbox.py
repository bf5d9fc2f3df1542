"""Files that came, one a day, and the prepared folders that they became."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import object_store
from recdistill.checksums import file_sha256
from recdistill.errors import UserError
from recdistill.object_store import Address

if TYPE_CHECKING:
    from collections.abc import Callable

# By a file's name what it held, as "sha256" or as the "tag" of an object; once it is taken in, also
# the "folder" that it became.
_Days = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Inbox:
    """A folder of files, on a disk or in an object store, whose names sort by time.

    A file that is taken in may go, and must not change while it stays.

    Attributes
    ----------
    folder : str
        A path, or an address ``s3://bucket/key`` of a folder of objects.
    note : Path
        A JSON file that says which files are taken in, what they held and where it went. Without it
        every day that is still there is prepared, or found prepared, once more.
    """

    folder: str
    note: Path

    def take_in(self, prepare: Callable[[str, Path | None], Path]) -> list[Path]:
        """Prepare what is new, each file on top of those before it; return all folders in order.

        Parameters
        ----------
        prepare : callable
            Receives where a file lies and the folder that it extends, None for the first file;
            returns the folder that it made, or found made. After a kill it is asked once more for
            the file that it was at.

        Returns
        -------
        The folders of all files that were ever taken in; the last one is there. An older one may be
        gone, where its file is gone too.

        Raises
        ------
        UserError
            When no file is there and none was, a file came whose name sorts before one that is
            taken in, one changed since, or a folder is gone that the next one extends.
        """
        taken, held = self._taken(), self._held()
        if not held and not (taken and self._is_there()):
            raise UserError(
                f"The inbox {self.folder} holds no file: put a day's interactions there, one file "
                "a day, named so that their names sort by time."
            )
        _require_in_order(taken, held)
        self._require_unchanged(taken, held)
        if any(held[name].keys() - taken[name].keys() for name in taken if name in held):
            # A note of an earlier version, or of another place, did not say what they held.
            taken = {name: held.get(name, {}) | noted for name, noted in taken.items()}
            self._write(taken)
        folders: list[Path] = []
        for name in sorted({*taken, *held}):
            if name in held and (name not in taken or not Path(taken[name]["folder"]).is_dir()):
                before = folders[-1] if folders else None
                _require_there(before, taken)
                folder = prepare(self._place(name), before)
                taken[name] = {"folder": str(folder), **held[name]}
                self._write(taken)
            folders.append(Path(taken[name]["folder"]))
        _require_there(folders[-1], taken)
        return folders

    def _is_there(self) -> bool:
        return object_store.is_address(self.folder) or Path(self.folder).is_dir()

    def _place(self, name: str) -> str:
        if object_store.is_address(self.folder):
            return str(Address.parse(self.folder, "inbox") / name)
        return str(Path(self.folder) / name)

    def _held(self) -> _Days:
        """Tell what the files hold now, in the order of their names."""
        if object_store.is_address(self.folder):
            found = object_store.versions(Address.parse(self.folder, "inbox"))
            return {name: {"tag": found[name]} for name in sorted(found)}
        files = sorted(path for path in Path(self.folder).glob("*") if path.is_file())
        return {path.name: {"sha256": file_sha256(path)} for path in files}

    def _require_unchanged(self, taken: _Days, held: _Days) -> None:
        for name, now in held.items():
            then = taken.get(name, {})
            if any(then.get(kind, digest) != digest for kind, digest in now.items()):
                raise UserError(
                    f"{self._place(name)} was taken in and changed since: put it back as it was or "
                    "take it away; rows to add or correct go into a file whose name sorts last."
                )

    def _taken(self) -> _Days:
        if not self.note.is_file():
            return {}
        noted: dict[str, str | dict[str, str]] = json.loads(self.note.read_text("utf-8"))
        # Earlier versions noted the folder alone.
        return {k: {"folder": v} if isinstance(v, str) else v for k, v in noted.items()}

    def _write(self, taken: _Days) -> None:
        unfinished = self.note.with_suffix(".partial")
        unfinished.write_text(json.dumps(taken, indent=1) + "\n", "utf-8")
        unfinished.replace(self.note)


def _require_in_order(taken: _Days, held: _Days) -> None:
    new = [name for name in held if name not in taken]
    if new and taken and new[0] < max(taken):
        raise UserError(
            f"{new[0]} came after {max(taken)} was taken in, and its name sorts before it: "
            "rename it so that it sorts last; late rows find their place in time."
        )


def _require_there(folder: Path | None, taken: _Days) -> None:
    if folder is not None and not folder.is_dir():
        name = next(name for name, noted in taken.items() if Path(noted["folder"]) == folder)
        raise UserError(
            f"{folder}, which {name} and the days before it became, is gone, and so is that file: "
            "bring back the folder, or the file to prepare it anew."
        )
