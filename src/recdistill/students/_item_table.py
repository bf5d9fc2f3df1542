"""What an item's vector is made of: its own numbers, its text, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from recdistill.errors import UserError
from recdistill.students._text_neighbours import length_of_few, rows_of_neighbours

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.students._item_content import ItemContent
    from recdistill.students._model import SequentialModel
    from recdistill.texts import ItemVectors

# Standard deviation of what a random start says of an item: that of a random item table.
_START = 0.02


class TextPart(nn.Module):
    """A parametrization of the item table: own numbers -> own numbers and text together.

    An item that training never met has no numbers of its own: its text stands for it. While
    training it is left at zero, so that nothing learns from its absence.

    Parameters
    ----------
    texts : float tensor, shape [n_items + 1, text_dim], row 0 zero
    projection : float tensor, shape [text_dim, dim]
    met : bool tensor, shape [n_items + 1]
    content : ItemContent
    scale : float
        What the texts' vectors were multiplied with.
    """

    texts: Tensor
    met: Tensor

    def __init__(
        self, texts: Tensor, projection: Tensor, met: Tensor, content: ItemContent, scale: float
    ) -> None:
        super().__init__()
        # Not saved with checkpoints: vectors belong to the run of embed_items.
        self.register_buffer("texts", texts, persistent=False)
        self.register_buffer("met", met[:, None].to(texts), persistent=False)
        self.projection = nn.Parameter(projection)
        self.content, self.scale = content, scale

    def forward(self, own: Tensor) -> Tensor:
        """Map the items' own numbers to their vectors, both [n_items + 1, dim]."""
        said = self.texts @ self.projection
        kept = self.met
        if self.content.kind == "text":
            longest = self.content.delta * said.detach().norm(dim=1, keepdim=True)
            length = own.norm(dim=1, keepdim=True).clamp(min=1e-12)  # [n_items + 1, 1]
            kept = kept * (longest / length).clamp(max=1)
        elif self.training and self.content.id_dropout:
            kept = kept * (torch.rand_like(kept) >= self.content.id_dropout)
        if self.training:
            said = said * self.met
        return said + own * kept


@dataclass(frozen=True)
class TextMap:
    """What a trained student places an item by that it never met.

    Attributes
    ----------
    projection : float tensor, shape [text_dim, dim]
        An item's text times this is its vector, or the part of it that is not its own.
    texts : float16 tensor, shape [n_items + 1, text_dim], or None
        Of the items that training met; zeros for others. Where items have numbers of their own, a
        new one goes among those with the nearest texts (`rows_of_neighbours`). None for a student
        of texts alone, and for one that an older version saved: the projection places new items.
    length : float
        Of a row that is placed so.
    about : mapping
        Where the texts' vectors come from; new ones must come from there too.
    shift : float or None
        Added to the score of an item that training never met, so that it ranks fairly among those
        that it did; None where that could not be learnt.
    """

    projection: Tensor
    about: Mapping[str, Any]
    shift: float | None = None
    texts: Tensor | None = None
    length: float = 0.0

    def place(self, table: Tensor, new_texts: Tensor) -> Tensor:
        """Return the rows [n_new, dim] of items that training never met, by their texts.

        Parameters
        ----------
        table : float tensor, shape [at least n_items + 1, dim]
            Of the trained student.
        new_texts : float tensor, shape [n_new, text_dim]
        """
        if self.texts is None:
            return new_texts @ self.projection
        known = self.texts.abs().sum(1).nonzero().flatten()
        return rows_of_neighbours(table[known], self.texts[known], new_texts, self.length)


def add_text(
    model: SequentialModel,
    vectors: ItemVectors,
    content: ItemContent,
    met: NDArray[np.bool_],
    *,
    regress: bool,
    seed: int,
) -> None:
    """Make the model's item table one of texts, for input and output alike, in place.

    Parameters
    ----------
    model : SequentialModel with one embedding of ``n_items + 1`` rows
    vectors : ItemVectors
    content : ItemContent, not of kind "id"
    met : bool array, shape [n_items + 1]
        Items with training interactions.
    regress : bool
        Start ``W`` as the ridge regression of the table on the texts, and an item's own numbers as
        what that leaves: the student starts where it would have without text. A table that starts
        random says nothing about texts; ``W`` then starts random, at its size.
    seed : int
        Draws a random ``W`` without touching the global generator.

    Raises
    ------
    UserError
        When the vectors are of another catalog than the model.
    """
    if len(vectors.values) != model.n_items + 1:
        raise UserError(
            f"The item vectors are of {len(vectors.values) - 1} items, the student is of "
            f"{model.n_items}: they are of different catalogs."
        )
    embedding = item_embedding(model)
    table = embedding.weight
    texts = torch.from_numpy(vectors.values.copy()).to(table)
    # Of length one in the mean. Adam moves every number of W by about the learning rate, and all
    # items along with it: by as much, then, as an item's own numbers move. With longer vectors the
    # text's part runs ahead and overfits.
    scale = float(texts.square().sum(1)[1:].mean().clamp(min=1e-12).rsqrt())
    texts *= scale
    known = torch.from_numpy(met).to(table.device)
    with torch.no_grad():
        if regress:
            projection = ridge(texts[known], table[known])
        else:
            drawn = torch.randn(
                texts.shape[1], model.dim, generator=torch.Generator().manual_seed(seed)
            )
            projection = (drawn * _START).to(table)
        if content.kind == "text":
            table.zero_()
        elif regress:
            table.sub_(texts @ projection)
            table[0] = 0
    if content.kind == "text" and not content.delta:
        table.requires_grad_(False)
    part = TextPart(texts, projection, known, content, scale)
    with torch.random.fork_rng():  # registering tries the part out, which may draw
        parametrize.register_parametrization(embedding, "weight", part)


def fold_text(
    model: SequentialModel, about: Mapping[str, Any], counts: NDArray[np.integer]
) -> TextMap | None:
    """Compute the table once and keep it as the model's own.

    Scores of items that training met stay the same; others are placed by ``TextMap.place``.

    Parameters
    ----------
    model : SequentialModel, changed in place
    about : mapping
        Where its texts' vectors come from.
    counts : int array, shape [n_items + 1]
        Training interactions.

    Returns
    -------
    TextMap or None
        None for a model without text.
    """
    embedding = item_embedding(model)
    parts = getattr(embedding, "parametrizations", {})
    if "weight" not in parts or not isinstance(parts["weight"][0], TextPart):
        return None
    part = parts["weight"][0]
    projection = part.projection.detach() * part.scale
    was_training = model.training
    model.eval()
    parametrize.remove_parametrizations(embedding, "weight", leave_parametrized=True)
    embedding.weight.requires_grad_(True)
    model.train(was_training)
    if part.content.kind == "text":
        return TextMap(projection, about)
    table = embedding.weight.detach()
    texts, length = (part.texts * part.met).half(), length_of_few(table, counts)
    found = TextMap(projection, about, texts=texts, length=length)
    never_met = (part.met[:, 0] == 0) & (part.texts.abs().sum(1) > 0)
    table[never_met] = found.place(table, part.texts[never_met])
    return found


def item_embedding(model: SequentialModel) -> nn.Embedding:
    """Return the one embedding of ``n_items + 1`` rows.

    Raises
    ------
    UserError
        When the model has none, or several.
    """
    found = [
        module
        for module in model.modules()
        if isinstance(module, nn.Embedding) and module.num_embeddings == model.n_items + 1
    ]
    if len(found) != 1:
        raise UserError(
            f"{type(model).__name__} has {len(found)} embeddings of {model.n_items + 1} rows; "
            "text, or a teacher's vectors, need the one item table."
        )
    return found[0]


def ridge(texts: Tensor, table: Tensor, strength: float = 0.01) -> Tensor:
    """Regress rows of the table on rows of texts; the penalty is a share of the mean variance."""
    x, y = texts.double(), table.double()
    gram = x.T @ x  # [text_dim, text_dim]
    gram.diagonal().add_(strength * gram.diagonal().mean().clamp(min=1e-12))
    solved: Tensor = torch.linalg.solve(gram, x.T @ y)
    return solved.to(table)
