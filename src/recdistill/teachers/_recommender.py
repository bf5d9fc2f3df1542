"""A trained teacher behind the one interface of everything that can recommend."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.evaluation import PositionScores
from recdistill.teachers._windows import export_windows, make_batch, window_histories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recdistill.data import Sequences
    from recdistill.students import StudentRecommender
    from recdistill.teachers._llm import LLM
    from recdistill.teachers._network import TeacherNetwork

_CPU_TOKENS = 4096
_GPU_TOKENS = 32768


@dataclass(frozen=True)
class Origin:
    """What a teacher stands on and was trained with.

    Attributes
    ----------
    baseline : StudentRecommender
        The frozen recommender; saved with the teacher, a few hundred kilobytes.
    llm : LLM or None
        The frozen language model; only its name and digest are saved.
    split_digest : str
    """

    baseline: StudentRecommender
    llm: LLM | None
    split_digest: str


class TeacherRecommender:
    """Scores histories with a teacher network, without gradients and in eval mode.

    Parameters
    ----------
    network : TeacherNetwork
    catalog_digest : str
    origin : Origin, optional
        What the network stands on; needed to save it.
    n_tokens : int
        Padded tokens per forward; 0 chooses by device.
    """

    def __init__(
        self,
        network: TeacherNetwork,
        catalog_digest: str,
        origin: Origin | None = None,
        n_tokens: int = 0,
    ) -> None:
        self.network = network
        self.catalog_digest = catalog_digest
        self.origin = origin
        on_cpu = network.device.type == "cpu"
        self.n_tokens = n_tokens or (_CPU_TOKENS if on_cpu else _GPU_TOKENS)

    @torch.no_grad()
    def score(self, histories: Sequences) -> torch.Tensor:
        """Score every item after each history; see ``Recommender``.

        Only the newest ``max_length`` items count; an empty history is scored from the
        instruction alone.

        Returns
        -------
        float32 tensor, shape [n_rows, n_items + 1], on the network's device
        """
        network = self.network
        table = self._table()
        recent = histories.tail(network.max_length)
        scores = torch.empty(len(recent), network.n_items + 1, device=network.device)
        for rows in self._groups(recent, recent.lengths):
            part = recent.take(rows)
            with self._ready():
                states = network.encode(torch.from_numpy(part.padded()).long().to(network.device))
            newest = torch.from_numpy(part.lengths).to(network.device)
            picked = states[torch.arange(len(rows), device=network.device), newest]
            scores[torch.from_numpy(rows)] = _scores(picked, table)
        return scores

    @torch.no_grad()
    def score_positions(self, histories: Sequences) -> Iterator[PositionScores]:
        """Score every position of every row but its first, one forward per window of history.

        Yields
        ------
        PositionScores
            ``users`` are rows of ``histories``; position 0 is left out.
        """
        windows = export_windows(histories, self.network.max_length)
        table = self._table()
        for index in self._groups(window_histories(histories, windows), windows.n_read):
            part = windows.take(index)
            batch = make_batch(histories, part).to(self.network.device)
            with self._ready():
                states = self.network.encode(batch.items)
            window, step = batch.targets.nonzero(as_tuple=True)
            at = window.cpu().numpy()
            yield PositionScores(
                part.rows[at],
                part.first[at] + step.cpu().numpy(),
                _scores(states[window, step], table),
            )

    def item_vectors(self) -> torch.Tensor:
        """Return what the teacher knows of every item, shape [n_items + 1, dim], row 0 zero.

        The pooled text where there is a language model, else the recommender's own vectors.
        """
        network = self.network
        return network.titles if network.peft is not None else network.vectors

    def _groups(
        self, histories: Sequences, n_read: NDArray[np.int64]
    ) -> Iterator[NDArray[np.int64]]:
        """Rows of similar cost, as many per forward as the token budget holds."""
        n_tokens = self.network.count_tokens(histories)
        order = np.lexsort((n_tokens, n_read))
        start = 0
        while start < len(order):
            stop = start + 1
            # Sorted by length, so the newest member decides the padded width.
            while stop < len(order):
                widest = int(n_tokens[order[start : stop + 1]].max())
                if widest * (stop + 1 - start) > self.n_tokens:
                    break
                stop += 1
            yield order[start:stop]
            start = stop

    @torch.no_grad()
    def _table(self) -> torch.Tensor:
        with self._ready():
            return self.network.item_table().float()

    def _ready(self) -> AbstractContextManager[object]:
        """Eval mode, and on a GPU the arithmetic of the language model's own weights."""
        self.network.eval()
        dtype = self.network.compute_dtype
        if dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.network.device.type, dtype=dtype)


def _scores(states: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    scores = states.float() @ table.T
    scores[:, 0] = -torch.inf
    return scores
