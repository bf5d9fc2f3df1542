"""Histories in, the k best items out: what the served model and the batch scorer share."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recdistill.checksums import understanding
from recdistill.errors import UserError
from recdistill.serving._names import ItemNames
from recdistill.students import read_student

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.students import SequentialModel

FILES = ("config.json", "weights.safetensors", "catalog.csv")
"""What a folder to serve from holds: a student as saved by its run, and the catalog."""

# A pass of this many tokens keeps its activations in a core's cache: about twice the speed.
_TOKENS_PER_PASS = 2400
_ROWS_PER_PASS = 96
_SCORE_BYTES_PER_PASS = 64_000_000  # fewer rows where a catalog is so large that scores take more
_TOKENS_PER_PASS_ON_DEVICE = 200_000


class TopK:
    """A student that recommends.

    Parameters
    ----------
    model : SequentialModel
    names : ItemNames of the catalog that the model was trained on
    n_threads : int
        Passes computed at once; 0 is one per CPU.

    Attributes
    ----------
    about : dict
        The student's ``config.json``: kind, sizes, digests of catalog and split.
    shifts : float tensor, shape [n_items + 1], or None
        Added to every score: what makes items that training never met rank fairly.
    """

    def __init__(self, model: SequentialModel, names: ItemNames, *, n_threads: int = 0) -> None:
        self.model, self.names = model.eval(), names
        self.table = model.item_table().detach()
        self.about: dict[str, Any] = {}
        self.shifts: torch.Tensor | None = None
        # Passes side by side on one thread each: the operations are far too small to be split.
        self._pool = ThreadPoolExecutor(
            n_threads or os.cpu_count() or 1, "top-k", torch.set_num_threads, (1,)
        )

    @classmethod
    def read(cls, folder: Path, *, device: str = "cpu", n_threads: int = 0) -> TopK:
        """Read a folder that holds ``FILES``.

        Raises
        ------
        UserError
            If the catalog is not the size that the student was trained on.
        """
        student, config = read_student(folder, device)
        names = ItemNames.read(folder / "catalog.csv")
        if names.n_items != config["n_items"]:
            raise UserError(
                f"{folder} holds a student of {config['n_items']} items beside a catalog of "
                f"{names.n_items}: promote the student again."
            )
        made = cls(student.model, names, n_threads=n_threads)
        made.about = config
        if shifted := config.get("shifted"):
            with understanding(folder / "config.json", "student"):
                made.shifts = torch.zeros(names.n_items + 1, device=device)
                made.shifts[torch.tensor(shifted["items"])] = float(shifted["by"])
        return made

    def recommend(
        self,
        items: NDArray[np.int64],
        offsets: NDArray[np.int64],
        k: int,
        *,
        exclude: Sequence[int] = (),
        keep_history: bool = False,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the ``k`` best items of every history and their scores, best first.

        Parameters
        ----------
        items, offsets : shapes [n_interactions] and [n_rows + 1]
            Row ``i`` is ``items[offsets[i]:offsets[i + 1]]``, oldest first, at least one item.
        k : int
        exclude : items never recommended
        keep_history : bool
            Whether items of a row's own history may be recommended to it.

        Returns
        -------
        items : int64 array, shape [n_rows, k]
        scores : float32 array, shape [n_rows, k]
            State · item vector, in the model's own unit.
        """
        lengths = np.diff(offsets)
        best = np.empty((len(lengths), k), np.int64)
        scores = np.empty((len(lengths), k), np.float32)
        barred = torch.tensor([0, *exclude])

        def one_pass(rows: NDArray[np.int64]) -> None:
            best[rows], scores[rows] = self._pass(
                items, offsets[rows], lengths[rows], k, barred, keep_history=keep_history
            )

        for _ in self._pool.map(one_pass, self._passes(lengths)):
            pass
        return best, scores

    def _passes(self, lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Group rows of similar length, so that a short history pays for no padding."""
        on_cpu = self.table.device.type == "cpu"
        most = _TOKENS_PER_PASS if on_cpu else _TOKENS_PER_PASS_ON_DEVICE
        most_scores = _SCORE_BYTES_PER_PASS // (4 * len(self.table))
        read = np.minimum(lengths, self.model.max_length)
        order = np.argsort(-read, kind="stable")
        start = 0
        while start < len(order):
            n_rows = max(1, most // int(read[order[start]]))
            n_rows = min(n_rows, _ROWS_PER_PASS, max(1, most_scores)) if on_cpu else n_rows
            yield order[start : start + n_rows]
            start += n_rows

    @torch.inference_mode()
    def _pass(
        self,
        items: NDArray[np.int64],
        starts: NDArray[np.int64],
        lengths: NDArray[np.int64],
        k: int,
        barred: torch.Tensor,
        *,
        keep_history: bool,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        table = self.table
        read = np.minimum(lengths, self.model.max_length)
        column = np.arange(read.max())
        source = (starts + lengths - read)[:, None] + column  # [n_rows, length]
        real = column < read[:, None]
        newest = np.where(real, items[np.where(real, source, 0)], 0)
        inputs = torch.from_numpy(newest).to(table.device)
        states = self.model.encode_newest(inputs, torch.from_numpy(read).to(table.device))
        scores = states @ table.T  # [n_rows, n_items + 1]
        if self.shifts is not None:
            scores += self.shifts
        scores[:, barred] = -torch.inf
        if not keep_history:
            rows = np.repeat(np.arange(len(lengths)), lengths)
            within = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            seen = items[np.repeat(starts, lengths) + within]
            scores[torch.from_numpy(rows), torch.from_numpy(seen)] = -torch.inf
        values, best = scores.topk(k)
        return best.cpu().numpy(), values.float().cpu().numpy()
