"""A floor as a folder: ``config.json`` beside ``weights.safetensors``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file
from scipy import sparse

from recdistill.errors import UserError
from recdistill.floors._floor import Floor

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Catalog
    from recdistill.floors._votes import Votes

_FORMAT = 1


def save_model(model: Floor, folder: Path, *, split_digest: str = "") -> None:
    """Write a floor; ``split_digest`` records what it was fitted on."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = _as_tensors(model.votes) | {"prior": model.prior.contiguous()}
    save_file(tensors, folder / "weights.safetensors")
    description = {
        "format": _FORMAT,
        "family": "floor",
        "kind": model.kind,
        "config": dict(model.config),
        "n_items": model.n_items,
        "n_voters": model.n_voters,
        "decay": model.decay,
        "catalog_digest": model.catalog_digest,
        "split_digest": split_digest,
    }
    (folder / "config.json").write_text(json.dumps(description, indent=2) + "\n", "utf-8")


def load_model(folder: Path, catalog: Catalog) -> Floor:
    """Read a floor back.

    Raises
    ------
    UserError
        If the folder holds no floor, one of another format, or one of another catalog.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"There is no model in {folder}: it has no config.json.")
    description = json.loads(path.read_text("utf-8"))
    if description.get("family") != "floor" or description.get("format") != _FORMAT:
        raise UserError(
            f"{folder} holds a model of family {description.get('family')!r}, format "
            f"{description.get('format')!r}, where a floor of format {_FORMAT} was due."
        )
    catalog.require(description["catalog_digest"], f"the floor in {folder}")
    weights = load_file(folder / "weights.safetensors")
    return Floor(
        kind=description["kind"],
        config=description["config"],
        catalog_digest=description["catalog_digest"],
        votes=_from_tensors(weights),
        prior=weights["prior"],
        n_voters=description["n_voters"],
        decay=description["decay"],
    )


def _as_tensors(votes: Votes) -> dict[str, torch.Tensor]:
    if isinstance(votes, torch.Tensor):
        return {"votes": votes.contiguous()}
    parts = {"values": votes.data, "columns": votes.indices, "rows": votes.indptr}
    return {f"votes.{name}": torch.from_numpy(part) for name, part in parts.items()}


def _from_tensors(tensors: dict[str, torch.Tensor]) -> Votes:
    if "votes" in tensors:
        return tensors["votes"]
    values, columns, rows = (tensors[f"votes.{n}"].numpy() for n in ("values", "columns", "rows"))
    return sparse.csr_array((values, columns, rows), shape=(len(rows) - 1, len(rows) - 1))
