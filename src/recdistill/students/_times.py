"""The times that belong to histories, and students that read them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from recdistill.students._model import SequentialModel
from recdistill.students._query_time import without_times

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.data import Sequences


@dataclass(frozen=True)
class Times:
    """The times that belong to padded histories, in seconds.

    Attributes
    ----------
    seen : int64 tensor, shape [batch, length]
        When each item happened.
    asked : int64 tensor, shape [batch, length], optional
        When the item after each one is asked for: inside a history the time of the next item.
    """

    seen: Tensor
    asked: Tensor | None = None

    def to(self, device: torch.device) -> Times:
        """Return the times on ``device``."""
        asked = None if self.asked is None else self.asked.to(device)
        return Times(self.seen.to(device), asked)


class ReadsTimes(SequentialModel):
    """A student that can be told the time, as far as its ``query_time`` says."""

    @abstractmethod
    def encode(self, items: Tensor, times: Times | None = None) -> Tensor:
        """Return the state after every position, [batch, length, dim].

        Parameters
        ----------
        items : int tensor, shape [batch, length]; see ``SequentialModel.encode``
        times : Times, optional
            Not read where ``query_time`` is "none". With "last" a state depends on ``seen`` up to
            its own item and on nothing else; with "known" on ``asked`` up to there as well.

        Raises
        ------
        UserError
            When the student reads times and gets none.
        """


def encode_at(model: SequentialModel, items: Tensor, times: Times | None) -> Tensor:
    """Return a model's states, [batch, length, dim], telling it no more than it may know."""
    if model.query_time == "none" or not isinstance(model, ReadsTimes):
        return model.encode(items)
    if times is not None and model.query_time == "last":
        times = Times(times.seen)
    return model.encode(items, times)


def times_of(model: SequentialModel, histories: Sequences) -> Times | None:
    """Return what a model may know of the times of histories that are none of them empty.

    Raises
    ------
    UserError
        When it reads times that the histories come without.
    """
    if model.query_time == "none":
        return None
    padded = histories.padded_times()
    if padded is None:
        raise without_times(model.query_time)
    seen = torch.from_numpy(padded)  # [n_rows, length]
    if model.query_time == "last":
        return Times(seen)
    if histories.asked_at is None:
        raise without_times(model.query_time)
    asked = torch.roll(seen, -1, dims=1)
    newest = torch.from_numpy(histories.lengths - 1)
    asked[torch.arange(len(asked)), newest] = torch.from_numpy(histories.asked_at)
    return Times(seen, asked)
