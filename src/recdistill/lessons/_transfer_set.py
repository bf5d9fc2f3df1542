"""Views of all histories, with what teachers say at every position of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.lessons._lessons import Lessons

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData

_FILE = "transfer_set.safetensors"


@dataclass(frozen=True)
class TransferSet:
    """What a student of several teachers trains on (a transfer set, Hinton et al. 2015).

    Attributes
    ----------
    sequences : Sequences
        Views of the training histories; their own next items are the targets.
    lessons : Lessons
        The teachers' lists at every position of ``sequences``.
    """

    sequences: Sequences
    lessons: Lessons

    def shortened(self, k: int) -> TransferSet:
        """Return the same with the best ``k`` items of every list."""
        own = self.lessons
        lists = Lessons(own.offsets, own.items[:, :k], own.logits[:, :k], own.doubt, own.weights)
        return TransferSet(self.sequences, lists)

    def of_whole_histories(self, train: Sequences) -> TransferSet:
        """Return each history's first view, which is the history as it is."""
        n = len(train.items)
        own = self.lessons
        first = Lessons(
            own.offsets[: len(train) + 1], own.items[:n], own.logits[:n], own.doubt[:n],
            own.weights[:n],
        )  # fmt: skip
        return TransferSet(train, first)

    def save(self, folder: Path, data: PreparedData) -> None:
        """Write ``transfer_set.safetensors`` and ``manifest.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        lists = self.lessons.items
        small = torch.int16 if data.catalog.n_items < torch.iinfo(torch.int16).max else torch.int32
        tensors = {
            "items": torch.from_numpy(self.sequences.items),
            "offsets": torch.from_numpy(self.sequences.offsets),
            "lists": lists.to(small).contiguous(),
            "logits": self.lessons.logits.half().contiguous(),
            "doubt": self.lessons.doubt.half(),
        }
        save_file(tensors, folder / _FILE)
        facts = {
            "catalog_digest": data.catalog.digest,
            "split_digest": data.split_digest,
            "n_views": len(self.sequences),
            "n_positions": len(lists),
            "k": lists.shape[1],
        }
        (folder / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path, data: PreparedData) -> TransferSet:
        """Read back what ``save`` wrote.

        Raises
        ------
        UserError
            When the files are not there or belong to other data.
        """
        try:
            facts = json.loads((folder / "manifest.json").read_text())
            with safe_open(folder / _FILE, "pt") as file:
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, ValueError) as error:
            raise UserError(f"{folder} holds no transfer set: {error}") from None
        for name, expected in (
            ("catalog_digest", data.catalog.digest),
            ("split_digest", data.split_digest),
        ):
            if facts.get(name) != expected:
                raise UserError(
                    f"The transfer set in {folder} was made on other data ({name} "
                    f"{facts.get(name)}, here {expected}): run make_transfer_set again here."
                )
        sequences = Sequences(found["items"].numpy(), found["offsets"].numpy())
        silence = torch.zeros(len(found["lists"]))
        lessons = Lessons(
            found["offsets"], found["lists"].int(), found["logits"], found["doubt"].float(), silence
        )
        return cls(sequences, lessons.weighted(torch.ones(len(silence))))
