"""An untrained student from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recdistill.students._gru4rec import GRU4Rec
from recdistill.students._hstu import HSTU
from recdistill.students._ligr import LiGR
from recdistill.students._sasrec import SASRec

if TYPE_CHECKING:
    from recdistill.data import Sequences
    from recdistill.students._config import StudentConfig
    from recdistill.students._model import SequentialModel


def build_student(
    config: StudentConfig, n_items: int, *, seed: int, train: Sequences | None = None
) -> SequentialModel:
    """Return an untrained student; equal arguments give equal weights.

    Parameters
    ----------
    config : StudentConfig
    n_items : int
    seed : int
    train : Sequences, optional
        Training histories, for ``item_start="cooccurrence"``. Without them the table starts
        random: a student about to be loaded needs no start.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _build(config, n_items)
    if config.item_start == "cooccurrence" and train is not None:
        # Imported here: the served model travels with this file and without scipy.
        from recdistill.students._cooccurrence import cooccurrence_vectors

        vectors = cooccurrence_vectors(train, n_items, config.dim)
        met = vectors.abs().amax(1) > 0
        with torch.no_grad():
            model.item_table()[met] = vectors[met]
    return model


def _build(config: StudentConfig, n_items: int) -> SequentialModel:
    dim, n_blocks, n_heads = config.dim, config.n_blocks, config.n_heads
    max_length, dropout = config.max_length, config.dropout
    if config.kind == "gru4rec":
        return GRU4Rec(n_items, dim=dim, n_blocks=n_blocks, max_length=max_length, dropout=dropout)
    if config.kind == "hstu":
        return HSTU(
            n_items,
            dim=dim,
            n_blocks=n_blocks,
            n_heads=n_heads,
            max_length=max_length,
            dropout=dropout,
            query_time=config.query_time,
        )
    make, usual_width = (LiGR, 4) if config.kind == "ligr" else (SASRec, 1)
    return make(
        n_items,
        dim=dim,
        n_blocks=n_blocks,
        n_heads=n_heads,
        max_length=max_length,
        ffn_multiplier=config.ffn_multiplier or usual_width,
        dropout=dropout,
        positions=config.positions,
    )
