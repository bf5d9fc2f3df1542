"""From the frozen recommender's state to the weights of the LoRA experts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch

    from recdistill.teachers._settings import RouterKind


class Router(nn.Module):
    """Softmax over experts from a recommender state, one distribution per position.

    ``linear`` is the gate of the iLoRA paper. Its published code routes through a convolutional
    network with batch normalisation instead, which makes one user's gate depend on the other
    users in the batch; ``mlp`` is the batch-independent way to ask for more capacity.

    Parameters
    ----------
    dim : int
        Width of the recommender's state.
    n_experts : int
    kind : {"linear", "mlp"}
    """

    def __init__(self, dim: int, n_experts: int, kind: RouterKind = "linear") -> None:
        super().__init__()
        self.logits: nn.Module = (
            nn.Linear(dim, n_experts)
            if kind == "linear"
            else nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, n_experts))
        )

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map states [batch, length, dim] to weights [batch, length, n_experts]."""
        logits: torch.Tensor = self.logits(states)
        return logits.softmax(dim=-1)
