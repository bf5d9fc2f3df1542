"""The user's files where they lie in an object store: brought here once, then read as any other."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill import object_store
from recdistill.data._log import FILES
from recdistill.data._sources._files import beside, fingerprint, in_folder
from recdistill.errors import UserError
from recdistill.object_store import Address, is_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recdistill.data._config import DataConfig


class SourceFiles:
    """The files that the settings of the data name, wherever they lie.

    Parameters
    ----------
    config : DataConfig
    folder : Path
        Takes copies of what lies in an object store; made when there is any, and left to whoever
        made this object.
    """

    def __init__(self, config: DataConfig, folder: Path) -> None:
        self.config, self.folder = config, folder

    @cached_property
    def named(self) -> dict[str, Address]:
        """Addresses by the setting that names them; empty where all files are on this machine."""
        return {
            n: Address.parse(s, n) for n, s in self.config.named_files().items() if is_address(s)
        }

    @cached_property
    def versions(self) -> dict[str, str]:
        """The store's tag of every object that is read, by its address; nothing is fetched."""
        return {str(a): tag for found in self._objects.values() for a, tag in found.items()}

    @cached_property
    def here(self) -> DataConfig:
        """The settings with paths on this machine: the files are fetched when this is first asked.

        Raises
        ------
        UserError
            When one is not there, cannot be fetched, or is written while it is read.
        """
        if not self.named:
            return self.config
        for setting, found in self._objects.items():
            root = self.named[setting]
            for address, tag in found.items():
                target = self._copy_of(setting)
                if address != root and address.key.startswith(f"{root.key}/"):
                    target = target / address.key.removeprefix(f"{root.key}/")
                else:
                    target = target.with_name(address.name)
                object_store.download(address, target)
                if object_store.version(address) != tag:
                    raise UserError(f"{address} was written while it was read: start again.")
        paths: dict[str, Any] = {n: str(self._copy_of(n)) for n in self.named}
        items = paths.pop("reading.items_file", self.config.reading.items_file)
        return replace(self.config, **paths, reading=replace(self.config.reading, items_file=items))

    def are_those_of(self, origin: dict[str, Any]) -> bool:
        """Whether they are known, without reading them, to be what a manifest was made from."""
        all_remote = len(self.named) == len(self.config.named_files())
        return all_remote and origin.get("versions") == self.versions

    def fingerprint(self) -> dict[str, str]:
        """Sha256 of every file, by role."""
        return fingerprint(self.here)

    @contextmanager
    def named_as_by_the_user(self) -> Iterator[None]:
        """Let refusals name addresses where they would name the copies."""
        try:
            yield
        except UserError as error:
            raise UserError(self._in_words_of_the_user(str(error))) from error.__cause__

    def _in_words_of_the_user(self, text: str) -> str:
        for setting, address in self.named.items():
            copy = self._copy_of(setting)
            text = text.replace(str(copy), str(address))
            text = text.replace(f"{copy.parent}/", str(address).removesuffix(address.name))
        return text

    def origin(self, origin: dict[str, Any]) -> dict[str, Any]:
        """Return what a manifest says of the source, with addresses in place of copies' paths."""
        if not self.named:
            return origin
        files = {r: self._in_words_of_the_user(p) for r, p in origin.get("files", {}).items()}
        return {**origin, "files": files, "versions": self.versions}

    def _copy_of(self, setting: str) -> Path:
        return self.folder / setting / self.named[setting].name

    @cached_property
    def _objects(self) -> dict[str, dict[Address, str]]:
        return {setting: self._objects_of(setting) for setting in self.named}

    def _objects_of(self, setting: str) -> dict[Address, str]:
        """Return the objects that are read for one setting, with their tags."""
        address = self.named[setting]
        tag = object_store.version(address)
        if tag is not None:
            return {address: tag} | self._items_beside(setting, address)
        names = object_store.versions(address) if setting == "data_path" else {}
        if not names:
            raise object_store.absent(address, setting)
        if "manifest.json" in names:
            names = object_store.versions(address, deep=True)
            chosen = [n for n in ("manifest.json", *FILES) if n in names]
        else:
            chosen = [n for n in in_folder(list(names), f"The folder {address}") if n]
        return {address / name: names[name] for name in chosen}

    def _items_beside(self, setting: str, address: Address) -> dict[Address, str]:
        """Return the items that lie in the same folder as a file of interactions."""
        first = setting in ("data_path", "train_file")
        if not first or self.config.reading.items_file or address.name.endswith(".zip"):
            return {}
        for candidate in beside(Path(address.name)):
            tag = object_store.version(address.beside(candidate.name))
            if tag is not None:
                return {address.beside(candidate.name): tag}
        return {}
