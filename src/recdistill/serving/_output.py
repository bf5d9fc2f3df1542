"""Where a batch scoring goes: numbered parts in a folder of this machine or of an object store."""

from __future__ import annotations

import io
import json
import os
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from recdistill import object_store
from recdistill.errors import UserError
from recdistill.object_store import Address, is_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

_SETTINGS = "_settings.json"  # readers of Parquet folders pass over names with an underscore


def part_name(index: int) -> str:
    """Return the name of a part, counted from 0."""
    return f"part-{index:06d}.parquet"


class Output(ABC):
    """A folder of one scoring's parts; a file is there whole or not at all.

    It travels to the processes of a scoring, so it holds no open connection.
    """

    @staticmethod
    def at(place: str | Path) -> Output:
        """Return the folder that a path or an address ``s3://bucket/key`` names."""
        if is_address(place):
            return _ObjectFolder(Address.parse(str(place), "output"))
        return _LocalFolder(Path(place))

    @abstractmethod
    def names(self) -> set[str]:
        """Return the names of the files that are there."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return a file's content."""

    @abstractmethod
    def footer(self, name: str) -> pq.FileMetaData:
        """Return what a Parquet file says of itself."""

    @abstractmethod
    def _take(self, name: str, write: Any) -> None:
        """Have ``write`` fill a file under another name, then put it under its own."""

    def write_part(self, index: int, table: pa.Table) -> None:
        """Write one part."""
        self._take(part_name(index), lambda path: pq.write_table(table, path, compression="zstd"))

    def parts(self) -> list[str]:
        """Return the names of the parts that are there, in their order."""
        return sorted(n for n in self.names() if n.startswith("part-") and n.endswith(".parquet"))

    def require(self, wanted: Mapping[str, Any]) -> bool:
        """Return whether the folder is claimed; nothing is written.

        Raises
        ------
        UserError
            When it was claimed for something else.
        """
        if _SETTINGS not in self.names():
            if self.parts():
                raise UserError(
                    f"{self} holds Parquet parts of something else: name another folder."
                )
            return False
        held = json.loads(self.read(_SETTINGS))
        differing = [key for key in wanted if held.get(key, "") != wanted[key]]
        if not differing:
            return True
        why = (
            f"holds results of another scoring ({', '.join(differing)} differ)"
            if set(differing) & set(held)
            else f"is of an earlier version, which did not note the {' and '.join(differing)}"
        )
        raise UserError(
            f"{self} {why}: name another output folder, as one for every day, or remove this one."
        )

    def claim(self, wanted: Mapping[str, Any]) -> None:
        """Write down what the folder is for.

        Raises
        ------
        UserError
            When it was claimed for something else.
        """
        if not self.require(wanted):
            text = json.dumps(wanted, indent=2) + "\n"
            self._take(_SETTINGS, lambda path: path.write_text(text, encoding="utf-8"))


@dataclass(frozen=True)
class _LocalFolder(Output):
    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def names(self) -> set[str]:
        return {path.name for path in self.folder.glob("*")}

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def footer(self, name: str) -> pq.FileMetaData:
        return pq.read_metadata(self.folder / name)

    def _take(self, name: str, write: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f"_{name}.{os.getpid()}"
        write(unfinished)
        unfinished.replace(self.folder / name)


@dataclass(frozen=True)
class _ObjectFolder(Output):
    address: Address

    def __str__(self) -> str:
        return str(self.address)

    def names(self) -> set[str]:
        return set(object_store.versions(self.address))

    def read(self, name: str) -> bytes:
        return object_store.read(self.address / name)

    def footer(self, name: str) -> pq.FileMetaData:
        # A Parquet file ends with its footer, the footer's size in four bytes, and "PAR1".
        size = int.from_bytes(object_store.read(self.address / name, last=8)[:4], "little")
        return pq.read_metadata(io.BytesIO(object_store.read(self.address / name, last=size + 8)))

    def _take(self, name: str, write: Any) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            whole = Path(scratch) / name
            write(whole)
            object_store.upload(whole, self.address / name)
