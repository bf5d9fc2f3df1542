"""The trainable ends of a teacher: items into the language model, states out to the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from recdistill.teachers._settings import HeadSettings


class Projector(nn.Module):
    """Frozen item vectors to the language model's input space, at the scale of its own tokens.

    iLoRA's Linear-GELU-Linear, followed by a division by the root mean square: slots as large as
    word embeddings whatever the recommender's vectors measure.
    """

    def __init__(self, dim: int, hidden: int, scale: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Map vectors [n, dim] to slots [n, hidden]."""
        out = self.layers(vectors)
        return self.scale * F.rms_norm(out, out.shape[-1:])


class Head(nn.Module):
    """Where hidden states meet the catalog."""

    def __init__(
        self, hidden: int, dim: int, title_dim: int, n_items: int, settings: HeadSettings
    ) -> None:
        super().__init__()
        width = settings.dim
        self.dropout = nn.Dropout(settings.dropout)
        self.state = nn.Linear(hidden, width)
        # Both sides start with unit-order entries; this keeps the first logits near zero.
        nn.init.normal_(self.state.weight, std=(hidden * width) ** -0.5)
        # No bias: the same vector for every item moves all of a state's scores alike.
        self.from_vector = nn.Linear(dim, width, bias=False)
        self.from_title = nn.Linear(title_dim, width, bias=False) if title_dim else None
        self.free = nn.Embedding(n_items + 1, width) if settings.free_items else None
        if self.free is not None:
            nn.init.zeros_(self.free.weight)
        self.residual_weight = nn.Parameter(torch.ones(()), requires_grad=settings.residual)

    def states(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [..., hidden] to scoring states [..., head_dim]."""
        normed = F.rms_norm(hidden.float(), hidden.shape[-1:])
        out: torch.Tensor = self.state(self.dropout(normed))
        return out

    def items(self, vectors: torch.Tensor, titles: torch.Tensor | None) -> torch.Tensor:
        """Item table [n_items + 1, head_dim] from recommender vectors and pooled titles."""
        table: torch.Tensor = self.from_vector(vectors)
        if self.from_title is not None and titles is not None:
            table = table + self.from_title(titles)
        if self.free is not None:
            table = table + self.free.weight
        return table
