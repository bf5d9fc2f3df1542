"""Vectors of a catalog's items, as a folder that refuses another catalog."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data import Catalog

_FORMAT = 1
_VALUES = "vectors.npy"


@dataclass(frozen=True)
class ItemVectors:
    """One vector per item of a catalog.

    Attributes
    ----------
    values : float32 array, shape [n_items + 1, dim]
        Row 0 (padding) and items without a text are zero. Memory-mapped when read from a folder.
    catalog_digest : str
    about : mapping
        Where they come from, as plain values.
    """

    values: NDArray[np.float32]
    catalog_digest: str
    about: Mapping[str, Any]

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self.values.shape[1])

    def digest(self) -> str:
        """First 32 hex digits of a sha256 over catalog and values."""
        sha = hashlib.sha256(f"{self.catalog_digest} {self.values.shape}".encode())
        sha.update(np.ascontiguousarray(self.values).tobytes())
        return sha.hexdigest()[:32]

    def permuted(self, seed: int) -> ItemVectors:
        """Deal the vectors out among the items that have one."""
        known = np.flatnonzero(np.abs(self.values).max(1) > 0)
        values = np.zeros_like(self.values)
        values[known] = self.values[np.random.default_rng(seed).permutation(known)]
        return replace(self, values=values, about={**self.about, "permuted": seed})

    def save(self, folder: Path) -> None:
        """Write ``vectors.npy`` and ``config.json`` into ``folder``."""
        write_vectors(folder, [self.values], self.values.shape, self.catalog_digest, self.about)

    @classmethod
    def load(cls, folder: Path, catalog: Catalog) -> ItemVectors:
        """Read vectors back.

        Raises
        ------
        UserError
            When the folder holds no item vectors, or those of another catalog.
        """
        path = folder / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            values = np.load(folder / _VALUES, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder} holds no item vectors that can be read ({error}): name a run of "
                "embed_items."
            ) from None
        if config.get("family") != "item vectors" or config.get("format") != _FORMAT:
            raise UserError(
                f"{folder} holds {config.get('family')} of format {config.get('format')}, not "
                f"item vectors of format {_FORMAT}."
            )
        catalog.require(config["catalog_digest"], f"the item vectors in {folder}")
        return cls(values, config["catalog_digest"], config["about"])


def write_vectors(
    folder: Path,
    blocks: Iterable[NDArray[np.float32]],
    shape: tuple[int, ...],
    catalog_digest: str,
    about: Mapping[str, Any],
) -> None:
    """Write blocks of rows one after the other, so that memory never holds more than one.

    Parameters
    ----------
    blocks : iterable of float32 arrays, shape [any, dim], ``shape[0]`` rows in all
    shape : (n_items + 1, dim)
    """
    folder.mkdir(parents=True, exist_ok=True)
    header = {"descr": "<f4", "fortran_order": False, "shape": tuple(shape)}
    with (folder / _VALUES).open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for block in blocks:
            stream.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
    config = {
        "format": _FORMAT,
        "family": "item vectors",
        "catalog_digest": catalog_digest,
        "about": dict(about),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
