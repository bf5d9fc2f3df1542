"""Item embedding fusion: the teacher's item vectors become part of the student's item table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils import parametrize

from recdistill.errors import UserError
from recdistill.students import item_embedding

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.distillation._config import FusionConfig
    from recdistill.students import SequentialModel


class _Fused(nn.Module):
    """``id embedding + weight * projection(teacher's vector)``, row 0 staying padding."""

    def __init__(self, vectors: Tensor, dim: int, weight: float, *, learnable: bool) -> None:
        super().__init__()
        self.register_buffer("vectors", vectors, persistent=False)
        self.projection = nn.Linear(vectors.shape[1], dim, bias=False)
        # The projected part starts at the size of the student's own initial embeddings.
        nn.init.normal_(self.projection.weight, std=0.02)
        self.weight = nn.Parameter(torch.tensor(float(weight)), requires_grad=learnable)

    def forward(self, own: Tensor) -> Tensor:
        """Map the id table [n_items + 1, dim] to the fused table of the same shape."""
        projected: Tensor = self.projection(self.vectors)
        return own + self.weight * projected


def fuse_items(
    model: SequentialModel, vectors: Tensor, weight: float, config: FusionConfig, *, seed: int
) -> None:
    """Put the teacher's item vectors into the model's item table, for training and serving alike.

    DLLM2Rec's collaborative embedding distillation (arXiv 2405.00338, section 3.3) as an
    architecture and not a loss: every use of the table, as input and as output, sees
    ``own + weight * projection(vector)``. Works for any model that has one embedding of
    ``n_items + 1`` rows. ``fold_items`` turns it back into a plain table.

    Parameters
    ----------
    model : SequentialModel, changed in place
    vectors : float tensor, shape [n_items + 1, teacher_dim], row 0 anything
    weight : float
        Initial weight of the projected part; 0 is refused, as it has no gradient to grow from.
    config : FusionConfig
    seed : int
        Draws the projection without touching the global generator.

    Raises
    ------
    UserError
        If the vectors are not of this catalog, or the model has no single item embedding.
    """
    if len(vectors) != model.n_items + 1:
        raise UserError(
            f"The teacher has vectors for {len(vectors) - 1} items, the student for "
            f"{model.n_items}: they are of different catalogs."
        )
    if not weight:
        raise UserError("fusion_weight is 0, so there is nothing to fuse.")
    embedding = item_embedding(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prepared = principal_components(vectors, config.components)
        fused = _Fused(prepared, model.dim, weight, learnable=config.learnable)
    parametrize.register_parametrization(embedding, "weight", fused.to(embedding.weight.device))


def fold_items(model: SequentialModel) -> None:
    """Compute the fused table once and keep it as the model's own; scores stay the same."""
    embedding = item_embedding(model)
    if parametrize.is_parametrized(embedding, "weight"):
        parametrize.remove_parametrizations(embedding, "weight", leave_parametrized=True)


def principal_components(vectors: Tensor, n: int) -> Tensor:
    """Centre the items' vectors, keep ``n`` components, scale to unit variance; row 0 is zero.

    Titles out of a language model share a large common part that says nothing about any of them.
    """
    items = vectors[1:].float()
    items = items - items.mean(0)
    if n and n < min(items.shape):
        _, _, directions = torch.linalg.svd(items, full_matrices=False)
        items = items @ directions[:n].T
    items = items / items.std().clamp(min=1e-12)
    return torch.cat([torch.zeros_like(items[:1]), items])
