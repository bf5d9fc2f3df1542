"""The one interface of everything that can recommend: floors, students, teachers, ensembles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import torch

    from recdistill.data import Sequences


@runtime_checkable
class Recommender(Protocol):
    """Whatever scores the whole catalog after a history.

    Attributes
    ----------
    catalog_digest : str
        Digest of the catalog whose item ids the scores' columns mean.
    query_time : "none", "last" or "known", optional
        What it must be told of the time: nothing, where it does not say; the histories' ``times``
        ("last"); or also ``asked_at``, when the target happens ("known"). Evaluation names the
        protocol by it, so whoever wraps a model passes it on.
    """

    @property
    def catalog_digest(self) -> str:
        """See above; a plain attribute will do."""
        ...

    def score(self, histories: Sequences) -> torch.Tensor:
        """Score every item as the next one after each history.

        Parameters
        ----------
        histories : Sequences of n_rows rows, oldest item first
            Rows may be empty, and a row scores the same in every batch.

        Returns
        -------
        float32 tensor, shape [n_rows, n_items + 1], on any device
            Column 0 (padding) is -inf and every other score finite; higher is better, the unit is
            the model's own. Items of the history are scored like any other: masking them is the
            evaluation's choice. The tensor belongs to the caller, who may write into it.
        """
        ...
