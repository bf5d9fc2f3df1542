"""Log-sum-exp over the whole catalog without ever holding the whole logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

# Rows of logits per chunk: small enough for chunk * n_items * 4 bytes to stay in the cache, large
# enough to keep the matrix products at full rate.
_CHUNK_BYTES = 2**21


class _WeightedLogSumExp(torch.autograd.Function):
    """Gradients are computed in the forward pass, while a chunk's probabilities are in cache."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, items: Tensor, weights: Tensor, chunk: int) -> Tensor:
        n, _ = states.shape
        wanted = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        # exp2 is several times faster than exp on CPU; log2(e) goes into the small matrix.
        scaled = states * math.log2(math.e)
        grad_states, grad_items = torch.empty_like(states), torch.zeros_like(items)
        buffer = states.new_empty(min(chunk, n), len(items))
        total = weights.new_zeros((), dtype=torch.float64)
        for start in range(0, n, chunk):
            rows = slice(start, min(start + chunk, n))
            logits = buffer[: rows.stop - start]
            torch.mm(scaled[rows], items.T, out=logits)  # [chunk, n_items]
            top = logits.amax(1, keepdim=True)
            powers = logits.sub_(top).exp2_()
            sums = powers.sum(1, keepdim=True)
            log_sums = top * math.log(2) + sums.log()
            total += (log_sums.squeeze(1) * weights[rows]).sum()
            if wanted:
                factor = weights[rows, None] / sums  # powers * factor = weighted probabilities
                torch.mm(powers, items, out=grad_states[rows]).mul_(factor)
                grad_items.addmm_(powers.T, states[rows] * factor)
        ctx.save_for_backward(grad_states, grad_items)
        return total.to(states.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        grad_states, grad_items = ctx.saved_tensors
        return grad_states * grad, grad_items * grad, None, None


def weighted_logsumexp(
    states: Tensor, items: Tensor, weights: Tensor, chunk: int | None = None
) -> Tensor:
    """Return ``sum_i weights[i] * log sum_j exp(states[i] . items[j])``.

    Parameters
    ----------
    states : float tensor, shape [n, dim]
    items : float tensor, shape [n_items, dim]
        The item table without its padding row.
    weights : float tensor, shape [n]
        Constant: no gradient flows to it.
    chunk : int, optional
        Rows of logits held at a time; default: as many as fit in two megabytes.

    Returns
    -------
    scalar tensor
    """
    if chunk is None:
        chunk = max(64, min(1024, _CHUNK_BYTES // (4 * len(items)) // 64 * 64))
    result: Tensor = _WeightedLogSumExp.apply(states, items, weights, chunk)  # type: ignore[no-untyped-call]
    return result
