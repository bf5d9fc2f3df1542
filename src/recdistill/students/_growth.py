"""A trained student for a catalog that grew: old rows as they are, new rows from what is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.students._build import build_student
from recdistill.students._cooccurrence import meetings
from recdistill.students._item_table import item_embedding
from recdistill.students._text_neighbours import length_of_few, rows_of_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.students._config import StudentConfig
    from recdistill.students._model import SequentialModel
    from recdistill.texts import ItemVectors

_WINDOW = 10


@dataclass(frozen=True)
class NewRows:
    """How many new items start from what: their text, items that they met, or chance."""

    from_text: int
    from_neighbours: int
    from_scratch: int


def grow_student(
    model: SequentialModel,
    config: StudentConfig,
    n_items: int,
    train: Sequences,
    *,
    trained: NDArray[np.bool_],
    vectors: ItemVectors | None = None,
    seed: int = 0,
) -> tuple[SequentialModel, NewRows]:
    """Return a student of ``n_items`` items that scores those it was trained on as ``model`` does.

    New is an item that the model has no row for, or one that no interaction has trained: known by
    name when the model was trained, and taken by nobody yet. A new item starts at the mean of the
    rows of the items that it met in ``train``, weighted by 1/distance; one that met none, among the
    trained items whose texts are nearest to its own (`rows_of_neighbours`); else as in an untrained
    table. Company comes first: it places an item better than its words.

    Parameters
    ----------
    model : SequentialModel, trained, its table plain (``fold_text``)
    config : StudentConfig
        Its architecture.
    n_items : int
        Of the grown catalog: at least the model's.
    train : Sequences
        Training histories of the grown catalog's ids.
    trained : bool array, shape [model.n_items + 1]
        Items with interactions in what the model was trained on.
    vectors : ItemVectors, optional
        Of the grown catalog's texts.
    seed : int
        Of what is drawn.
    """
    n_old = model.n_items
    if n_items < n_old:
        raise ValueError(f"a catalog of {n_items} items is no grown one of {n_old}")
    grown = build_student(config, n_items, seed=seed)
    name = _name_of_table(grown)
    weights = {key: value for key, value in model.state_dict().items() if key != name}
    table = grown.state_dict()[name].clone()
    table[: n_old + 1] = model.state_dict()[name]
    new = new_items(trained, n_items)
    by_meeting = _by_meeting(table, train, new)
    by_text = _by_text(table, train, new, new & ~by_meeting, vectors)
    grown.load_state_dict(weights | {name: table})
    rest = int(new.sum() - by_text.sum() - by_meeting.sum())
    return grown, NewRows(int(by_text.sum()), int(by_meeting.sum()), rest)


def new_items(trained: NDArray[np.bool_], n_items: int) -> NDArray[np.bool_]:
    """Say which items a trained model has no row for, or one that no interaction has trained.

    Parameters
    ----------
    trained : bool array, shape [at most n_items + 1]
    n_items : int

    Returns
    -------
    bool array, shape [n_items + 1]; padding is no item.
    """
    new = np.ones(n_items + 1, np.bool_)
    new[: len(trained)] = ~trained
    new[0] = False
    return new


def _name_of_table(model: SequentialModel) -> str:
    weight = item_embedding(model).weight
    return next(name for name, found in model.named_parameters() if found is weight)


def _by_text(
    table: Tensor,
    train: Sequences,
    new: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
    vectors: ItemVectors | None,
) -> NDArray[np.bool_]:
    """Place the wanted ones of the new items by their texts, in place; say which."""
    if vectors is None:
        return np.zeros(len(new), np.bool_)
    counts = np.bincount(train.items, minlength=len(new))
    described = np.abs(vectors.values).max(1) > 0
    learned: NDArray[np.bool_] = (counts > 0) & ~new & described
    placed: NDArray[np.bool_] = wanted & described
    if learned.any() and placed.any():
        texts = torch.from_numpy(vectors.values.copy()).to(table)
        trained, others = torch.from_numpy(learned), torch.from_numpy(placed)
        length = length_of_few(table, np.where(learned, counts, 0))
        table[others] = rows_of_neighbours(table[trained], texts[trained], texts[others], length)
        return placed
    return np.zeros(len(new), np.bool_)


def _by_meeting(table: Tensor, train: Sequences, new: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Place new items among the old ones that they met, in place; say which."""
    if not new.any():
        return new
    met = meetings(train, len(new) - 1, _WINDOW)[np.flatnonzero(new)].tolil()
    met[:, np.flatnonzero(new)] = 0  # a new item knows nothing of another
    met = met.tocsr()
    total = np.asarray(met.sum(1)).ravel()
    placed: NDArray[np.bool_] = np.zeros_like(new)
    placed[np.flatnonzero(new)[total > 0]] = True
    means = (met[total > 0] @ table.numpy()) / total[total > 0, None]
    table[torch.from_numpy(placed)] = torch.from_numpy(means).to(table)
    return placed
