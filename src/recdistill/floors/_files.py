"""A floor as a folder: ``config.json`` beside ``weights.safetensors``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from scipy import sparse

from recdistill.checksums import (
    read_description,
    read_tensors,
    understanding,
    write_description,
)
from recdistill.errors import UserError
from recdistill.floors._config import FLOOR_KINDS
from recdistill.floors._floor import Floor, Totals

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Catalog
    from recdistill.floors._votes import Votes

_FORMAT, _READABLE = 2, (1, 2)  # 2: with checksums
_WEIGHTS = "weights.safetensors"


def save_model(model: Floor, folder: Path, *, split_digest: str = "") -> None:
    """Write a floor; ``split_digest`` records what it was fitted on."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = _as_tensors(model.votes) | {"prior": model.prior.contiguous()}
    tensors |= {f"totals.{name}": sums for name, sums in _totals(model.totals).items()}
    if model.inverse_diagonal is not None:
        tensors["inverse_diagonal"] = model.inverse_diagonal.contiguous()
    save_file(tensors, folder / _WEIGHTS)
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
    write_description(folder / "config.json", description, [_WEIGHTS])


def load_model(folder: Path, catalog: Catalog) -> Floor:
    """Read a floor back.

    Raises
    ------
    UserError
        If the folder holds no floor, one of another format or catalog, or one that is not as it was
        written.
    """
    path = folder / "config.json"
    description = read_description(path, "model", formats=_READABLE, checked_from=2)
    if description.get("family") != "floor":
        raise UserError(f"{folder} holds a {description.get('family')}, not a floor.")
    catalog.require(str(description.get("catalog_digest")), f"the floor in {folder}")
    weights = read_tensors(folder / _WEIGHTS, "model")
    with understanding(path, "floor"):
        floor = Floor(
            kind=description["kind"],
            config=description["config"],
            catalog_digest=description["catalog_digest"],
            votes=_from_tensors(weights),
            prior=weights["prior"],
            n_voters=description["n_voters"],
            decay=description["decay"],
            totals=_read_totals(weights),
            inverse_diagonal=weights.get("inverse_diagonal"),
        )
        _check(floor, catalog.n_items)
    return floor


def _check(floor: Floor, n_items: int) -> None:
    """Raise ValueError where a floor is none that fitting makes."""
    size = n_items + 1
    n_rows = size if floor.n_voters else 1
    right = {
        "kind": floor.kind in FLOOR_KINDS,
        "config": isinstance(floor.config, dict),
        "prior": floor.prior.dtype == torch.float32 and floor.prior.shape == (size,),
        "votes": str(floor.votes.dtype).endswith("float32") and floor.votes.shape == (n_rows, size),
        "n_voters": type(floor.n_voters) is int and floor.n_voters >= 0,
        "decay": isinstance(floor.decay, int | float) and 0 < floor.decay <= 1,
        "totals": all(sums.shape == (size,) for sums in _totals(floor.totals).values()),
        "inverse_diagonal": floor.inverse_diagonal is None
        or (floor.inverse_diagonal.dtype, floor.inverse_diagonal.shape) == (torch.float32, (size,)),
    }
    wrong = [name for name, fits in right.items() if not fits]
    if wrong:
        raise ValueError(f"its {', '.join(wrong)} cannot be right for {n_items} items")


def _totals(totals: Totals | None) -> dict[str, torch.Tensor]:
    return {n: sums for n, sums in (vars(totals) if totals else {}).items() if sums is not None}


def _read_totals(tensors: dict[str, torch.Tensor]) -> Totals | None:
    names = [name for name in tensors if name.startswith("totals.")]
    return Totals(**{name.split(".")[1]: tensors[name] for name in names}) if names else None


def _as_tensors(votes: Votes) -> dict[str, torch.Tensor]:
    if isinstance(votes, torch.Tensor):
        return {"votes": votes.contiguous()}
    parts = {"values": votes.data, "columns": votes.indices, "rows": votes.indptr}
    return {f"votes.{name}": torch.from_numpy(part) for name, part in parts.items()}


def _from_tensors(tensors: dict[str, torch.Tensor]) -> Votes:
    if "votes" in tensors:
        return tensors["votes"]
    values, columns, rows = (tensors[f"votes.{n}"].numpy() for n in ("values", "columns", "rows"))
    votes = sparse.csr_array((values, columns, rows), shape=(len(rows) - 1, len(rows) - 1))
    votes.check_format(full_check=True)  # no index beyond the table
    return votes
