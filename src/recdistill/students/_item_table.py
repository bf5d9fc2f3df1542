"""What an item's vector is made of: its own numbers, its text, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import nn
from torch.nn.utils import parametrize

from recdistill.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.texts import ItemVectors
    from recdistill.training import SequentialModel

ItemKind = Literal["id", "text", "id+text"]


@dataclass(frozen=True)
class ItemContent:
    """What makes up an item's vector.

    Attributes
    ----------
    kind : "id", "text" or "id+text"
        Vector = own numbers; ``W x text``; or the sum of both. ``W`` is trained, the texts'
        vectors stay as they are.
    id_dropout : float
        ``id+text``: share of items whose own numbers are left out of a training step, so that the
        text learns to stand alone (after DropoutNet, Volkovs et al. 2017).
    delta : float
        ``text``: how far an item may move from what its text says, as a share of the length of
        its text's part; 0 not at all (after "Let It Go", RecSys 2025, where the bound is absolute).
    """

    kind: ItemKind = "id"
    id_dropout: float = 0.0
    delta: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(ItemKind):
            allowed = ", ".join(get_args(ItemKind))
            raise UserError(f"student.item is {self.kind!r}; it must be one of {allowed}.")
        if not 0 <= self.id_dropout < 1:
            raise UserError(f"student.id_dropout is {self.id_dropout}; it must be in [0, 1).")
        if self.delta < 0:
            raise UserError(f"student.delta is {self.delta}; it must not be negative.")
        if self.id_dropout and self.kind != "id+text":
            raise UserError(
                f"student.id_dropout is for student.item=id+text, and student.item is {self.kind}: "
                "without a text nothing is left of a dropped item, without an id nothing is dropped."
            )
        if self.delta and self.kind != "text":
            raise UserError(
                f"student.delta is for student.item=text, and student.item is {self.kind}."
            )


class TextPart(nn.Module):
    """A parametrization of the item table: own numbers -> own numbers and text together.

    Parameters
    ----------
    texts : float tensor, shape [n_items + 1, text_dim], row 0 zero
    projection : float tensor, shape [text_dim, dim]
    content : ItemContent
    """

    texts: Tensor

    def __init__(self, texts: Tensor, projection: Tensor, content: ItemContent) -> None:
        super().__init__()
        # Not saved with checkpoints: they are the run's of embed_items.
        self.register_buffer("texts", texts, persistent=False)
        self.projection = nn.Parameter(projection)
        self.content = content

    def forward(self, own: Tensor) -> Tensor:
        """Map the items' own numbers to their vectors, both [n_items + 1, dim]."""
        said = self.texts @ self.projection
        content = self.content
        if content.kind == "text":
            if not content.delta:
                return said
            longest = content.delta * said.detach().norm(dim=1, keepdim=True)  # [n_items + 1, 1]
            return said + own * (longest / own.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
        if self.training and content.id_dropout:
            own = own * (torch.rand(len(own), 1, device=own.device) >= content.id_dropout)
        return said + own


def add_text(
    model: SequentialModel, vectors: ItemVectors, content: ItemContent, *, seed: int
) -> None:
    """Make the model's item table one of texts, for input and output alike, in place.

    ``W`` starts as the ridge regression of the table on the texts, and what it leaves of an item
    is the item's own: so the student starts where it would have without text, and an item that
    training never met starts where its text says. A table that starts random says nothing about
    texts, and ``W`` then starts random too.

    Parameters
    ----------
    model : SequentialModel with one embedding of ``n_items + 1`` rows
    vectors : ItemVectors
    content : ItemContent, not of kind "id"
    seed : int
        Draws a random ``W`` without touching the global generator.
    """
    embedding = item_embedding(model)
    table = embedding.weight
    texts = torch.from_numpy(vectors.values.copy()).to(table)
    with torch.no_grad():
        projection = _ridge(texts, table)
        if projection.norm() < 1e-6:
            generator = torch.Generator().manual_seed(seed)
            drawn = torch.randn(projection.shape, generator=generator)
            projection = (drawn * 0.02 / projection.shape[0] ** 0.5).to(table)
        if content.kind == "text":
            table.zero_()
        else:
            known = table.abs().amax(1, keepdim=True) > 0
            table.sub_((texts @ projection) * known)
    if content.kind == "text" and not content.delta:
        embedding.weight.requires_grad_(False)
    parametrize.register_parametrization(embedding, "weight", TextPart(texts, projection, content))


def fold_text(model: SequentialModel) -> Tensor | None:
    """Compute the table once and keep it as the model's own; scores stay the same.

    Returns
    -------
    float tensor, shape [text_dim, dim], or None
        The projection ``W``: what an item that comes later is placed by. None without a text part.
    """
    embedding = item_embedding(model)
    if not parametrize.is_parametrized(embedding, "weight"):
        return None
    part: TextPart = embedding.parametrizations["weight"][0]  # type: ignore[index, assignment, union-attr]
    was_training = model.training
    model.eval()
    parametrize.remove_parametrizations(embedding, "weight", leave_parametrized=True)
    model.train(was_training)
    embedding.weight.requires_grad_(True)
    return part.projection.detach()


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
            "text, and a teacher's vectors, need the one item table."
        )
    return found[0]


def _ridge(texts: Tensor, table: Tensor, strength: float = 0.01) -> Tensor:
    """Regress the table's rows on the texts' by ridge regression, [text_dim, dim].

    The penalty is ``strength`` times the mean variance of a text dimension. Rows without a vector
    are left out; a table of small random numbers gives almost nothing.
    """
    met = table[1:].abs().amax(1) > 0
    x, y = texts[1:][met].double(), table[1:][met].double()
    gram = x.T @ x
    penalty = strength * gram.diagonal().mean().clamp(min=1e-12)
    gram.diagonal().add_(penalty)
    return torch.linalg.solve(gram, x.T @ y).to(table)
