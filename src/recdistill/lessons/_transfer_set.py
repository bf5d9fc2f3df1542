"""Lessons about views of all histories, on disk: a transfer set (Hinton et al. 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save_file

from recdistill.checksums import read_description, understanding, write_description
from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.lessons._lessons import Lessons

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from recdistill.data import PreparedData

_FILE = "transfer_set.safetensors"
_MANIFEST = "manifest.json"
_FORMAT = 2  # with checksums; before, none was written down


def save_transfer_set(lessons: Lessons, folder: Path, data: PreparedData) -> None:
    """Write ``transfer_set.safetensors`` and ``manifest.json``; row weights are not kept."""
    folder.mkdir(parents=True, exist_ok=True)
    small = torch.int16 if data.catalog.n_items < torch.iinfo(torch.int16).max else torch.int32
    tensors = {
        "items": torch.from_numpy(lessons.sequences.items),
        "offsets": torch.from_numpy(lessons.sequences.offsets),
        "lists": lessons.items.to(small).contiguous(),
        "logits": lessons.logits.half().contiguous(),
        "doubt": lessons.distance.half(),
    }
    save_file(tensors, folder / _FILE)
    facts = {
        "format": _FORMAT,
        "catalog_digest": data.catalog.digest,
        "split_digest": data.split_digest,
        "n_views": len(lessons.sequences),
        "n_positions": len(lessons.items),
        "k": lessons.items.shape[1],
    }
    write_description(folder / _MANIFEST, facts, [_FILE])


def load_transfer_set(folder: Path, data: PreparedData) -> Lessons:
    """Read back what ``save_transfer_set`` wrote; every row with a list weighs 1.

    Lists and logits stay in the file, mapped into memory, where the catalog has more than 32,767
    items; what is held is eight bytes a position.

    Raises
    ------
    UserError
        When the files are not there, are not as they were written, or belong to other data.
    """
    path = folder / _MANIFEST
    facts = read_description(path, "transfer set", formats=(1, _FORMAT), checked_from=2)
    for name, expected in (
        ("catalog_digest", data.catalog.digest),
        ("split_digest", data.split_digest),
    ):
        if facts.get(name) != expected:
            raise UserError(
                f"The transfer set in {folder} was made on other data ({name} "
                f"{facts.get(name)}, here {expected}): run make_transfer_set again here."
            )
    with understanding(path, "transfer set"):
        found = load_file(folder / _FILE)
        _check(found, data.catalog.n_items)
    views = Sequences(found["items"].numpy(), found["offsets"].numpy())
    n = len(found["lists"])
    lists, distances = found["lists"].int(), found["doubt"].float()
    lessons = Lessons(views, lists, found["logits"], distances, torch.zeros(n))
    return lessons.weighted(torch.ones(n))


def _check(found: dict[str, Tensor], n_items: int) -> None:
    """Raise ValueError where the arrays are none that ``save_transfer_set`` writes."""
    items, offsets, lists = found["items"], found["offsets"], found["lists"]
    n_positions = len(items)
    right = {
        "items": items.dtype == torch.int32 and _within(items, 1, n_items),
        "offsets": offsets.dtype == torch.int64
        and bool((offsets[0] == 0) & (offsets[-1] == n_positions) & (offsets.diff() >= 0).all()),
        "lists": lists.dtype in (torch.int16, torch.int32)
        and lists.ndim == 2
        and len(lists) == n_positions
        and _within(lists, 0, n_items),
        # -inf where a list is shorter
        "logits": found["logits"].shape == lists.shape and _below_infinity(found["logits"]),
        "doubt": found["doubt"].shape == (n_positions,) and bool(found["doubt"].isfinite().all()),
    }
    wrong = [name for name, fits in right.items() if not fits]
    if wrong:
        raise ValueError(f"its {', '.join(wrong)} cannot be right for {n_items} items")


def _below_infinity(values: Tensor) -> bool:
    """Whether every value is less than infinity; NaN is not. Without a mask of all of them."""
    return not values.numel() or float(values.amax()) < torch.inf


def _within(values: Tensor, lowest: int, highest: int) -> bool:
    return not len(values) or (int(values.min()) >= lowest and int(values.max()) <= highest)
