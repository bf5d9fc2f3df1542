"""Fits that update the rows of the item table that a batch looked up, and no others."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch.nn.utils import parametrize

from recdistill.errors import UserError
from recdistill.students import item_embedding
from recdistill.training._build_loss import build_loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.students import SequentialModel
    from recdistill.training._config import LossConfig, UpdatedRows
    from recdistill.training._losses import Loss
    from recdistill.training._recipe import StudentRecipe


def loss_for(
    recipe: StudentRecipe,
    model: SequentialModel,
    item_counts: NDArray[np.integer],
    *,
    taught: bool = False,
) -> Loss:
    """Build the loss that a recipe names, with gradients of the rows that its fit updates.

    Parameters
    ----------
    recipe : StudentRecipe
    model : SequentialModel
        As it is fitted: with its texts or a teacher's vectors.
    item_counts : int array, shape [n_items + 1]
        Training interactions per item id.
    taught : bool
        Whether the fit has terms that compare with the whole catalog.

    Raises
    ------
    UserError
        When the recipe updates touched rows alone and every step needs every row.
    """
    touched = recipe.loop.optimizer.rows == "touched"
    if touched and (reason := _needs_all_rows(recipe.loss, model, taught=taught)):
        raise UserError(f"optimizer.rows is 'touched', but {reason}.")
    return build_loss(recipe.loss, item_counts, sparse=touched)


def _needs_all_rows(loss: LossConfig, model: SequentialModel, *, taught: bool) -> str:
    """Say why every step needs every row of the table, and what to do; nothing where none does."""
    if loss.kind == "softmax":
        return (
            "the loss softmax compares with every item: set optimizer.rows=all, or a loss against "
            "drawn items (loss=mixed_softmax)"
        )
    if loss.n_negatives >= model.n_items:
        return (
            f"n_negatives={loss.n_negatives} draws as many as the {model.n_items} items: set "
            "optimizer.rows=all, or fewer negatives"
        )
    if taught:
        return (
            "what teachers say is compared with every item's score: distill from a baseline "
            "that was trained with optimizer.rows=all"
        )
    if parametrize.is_parametrized(item_embedding(model), "weight"):
        return (
            "every step puts the item table together from numbers and texts (or a teacher's "
            "vectors): set optimizer.rows=all, or student.item=id"
        )
    return ""


@contextmanager
def looked_up(model: SequentialModel, rows: UpdatedRows) -> Iterator[None]:
    """Let look-ups in the item table give gradients of their rows alone, for a ``with`` block.

    With ``rows="all"`` nothing is changed.
    """
    if rows == "all":
        yield
        return
    embedding = item_embedding(model)
    embedding.sparse = True
    try:
        yield
    finally:
        embedding.sparse = False


def touched_table(model: SequentialModel) -> Tensor | None:
    """Return the item table where a step updates the rows it touched, or None."""
    try:
        embedding = item_embedding(model)
    except UserError:  # a student of one's own may have no single table
        return None
    return embedding.weight if embedding.sparse else None
