"""What a teacher expects of every user's future: imagined items, and its lists along them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from recdistill.distillation._lessons import Lesson
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from recdistill.data import PreparedData


@dataclass(frozen=True)
class Futures:
    """Imagined continuations of every user's training items.

    A teacher has read the training targets, and its lists there are partly memory. Behind a user's
    newest training item there is no target to remember: what it says there is what it would say
    when serving, about the very users that will be served.

    Attributes
    ----------
    items : int32 tensor, shape [n_variants, n_users, length]
        Items drawn one after the other from what the teacher expects; a student reads all but the
        last of them.
    lists : int32 tensor, shape [n_variants, n_users, length, k]
        The teacher's best items at every place, best first, the user's own left out.
    logits : float tensor, shape [n_variants, n_users, length, k]
        Their log-probabilities over the whole catalog.
    weight : float
        Of an imagined target, a real one's being 1.
    """

    items: Tensor
    lists: Tensor
    logits: Tensor
    weight: float = 1.0

    def at(self, epoch: int, rows: Tensor, ahead: Tensor) -> Lesson:
        """Return what the teacher says of the imagined targets of these users.

        Parameters
        ----------
        epoch : int
            Takes variant ``epoch % n_variants``.
        rows, ahead : int64 tensors, shape [n]
            User, and place behind the newest training item, from 0.
        """
        at = (epoch % len(self.items), rows.cpu(), ahead.cpu())
        weights = torch.full((len(rows),), self.weight)
        lesson = Lesson(self.lists[at].long(), self.logits[at].float(), weights * 0, weights)
        return Lesson(*(part.to(rows.device) for part in vars(lesson).values()))

    def save(self, folder: Path, data: PreparedData) -> None:
        """Write ``futures.safetensors`` and ``manifest.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {name: getattr(self, name) for name in ("items", "lists", "logits")}
        save_file(tensors, folder / "futures.safetensors")
        n_variants, n_users, length, k = self.lists.shape
        facts: dict[str, object] = {
            "catalog_digest": data.catalog.digest,
            "split_digest": data.split_digest,
            "n_variants": n_variants,
            "n_users": n_users,
            "length": length,
            "k": k,
        }
        (folder / "manifest.json").write_text(json.dumps(facts, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path, data: PreparedData, *, weight: float = 1.0) -> Futures:
        """Read back what ``save`` wrote.

        Raises
        ------
        UserError
            When the files are not there or belong to other data.
        """
        try:
            facts = json.loads((folder / "manifest.json").read_text())
            with safe_open(folder / "futures.safetensors", "pt") as file:
                tensors = {name: file.get_tensor(name) for name in ("items", "lists", "logits")}
        except (OSError, ValueError) as error:
            raise UserError(f"{folder} holds no imagined futures: {error}") from None
        for name, expected in (
            ("catalog_digest", data.catalog.digest),
            ("split_digest", data.split_digest),
        ):
            if facts.get(name) != expected:
                raise UserError(
                    f"The futures in {folder} were imagined on other data ({name} "
                    f"{facts.get(name)}, here {expected}): run imagine again on this data."
                )
        return cls(**tensors, weight=weight)


def mixed(said: Lesson, foreseen: Lesson, real: Tensor) -> Lesson:
    """Put lessons about real and imagined targets back into the order of the step.

    Parameters
    ----------
    said, foreseen : Lesson
        About the targets where ``real`` is true, and the others.
    real : bool tensor, shape [n_targets]
    """
    n, k = len(real), max(said.items.shape[1], foreseen.items.shape[1])
    items = torch.zeros(n, k, dtype=torch.int64, device=real.device)
    logits = torch.full((n, k), -torch.inf, device=real.device)
    doubt, weights = torch.zeros(2, n, device=real.device)
    for part, where in ((said, real), (foreseen, ~real)):
        width = part.items.shape[1]
        items[where, :width], logits[where, :width] = part.items, part.logits
        doubt[where], weights[where] = part.doubt, part.weights
    return Lesson(items, logits, doubt, weights)
