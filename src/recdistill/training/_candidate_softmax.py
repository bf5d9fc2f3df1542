"""Cross-entropy of targets against weighted candidates, without ever holding all scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from torch import Tensor

_CHUNK_BYTES = 2**20  # of scores at a time: they stay in a core's cache
_LOG2E = math.log2(math.e)


class _CandidateSoftmax(torch.autograd.Function):
    """Gradients are computed in the forward pass, while a chunk's probabilities are in cache."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        vectors: Tensor,
        wanted: Tensor,
        log_weights: Tensor,
        group: Tensor,
        own: Tensor,
    ) -> Tensor:
        n, c = len(states), len(vectors)
        # exp2 is several times faster than exp on CPU; log2(e) goes into the small matrices.
        scaled, weights = states * _LOG2E, F.pad(log_weights * _LOG2E, (0, 1))
        grad_states, grad_vectors = torch.empty_like(states), torch.zeros_like(vectors)
        grad_wanted = torch.empty_like(wanted)
        chunk = max(64, _CHUNK_BYTES // (4 * (c + 1)))
        buffer = states.new_empty(min(chunk, n), c + 1)
        total = states.new_zeros((), dtype=torch.float64)
        for start in range(0, n, chunk):
            rows = slice(start, min(start + chunk, n))
            scores = buffer[: rows.stop - start]  # [chunk, n_candidates + 1], the target last
            candidates = scores[:, :c]
            torch.index_select(weights, 0, group[rows], out=scores)
            candidates.addmm_(scaled[rows], vectors.T)
            among = own[rows] < c
            candidates[among, own[rows][among]] = -torch.inf
            torch.mul(wanted[rows], _LOG2E, out=scores[:, c])
            top = scores.amax(1, keepdim=True)
            powers = scores.sub_(top).exp2_()
            sums = powers.sum(1, keepdim=True)
            total += (top.squeeze(1) / _LOG2E + sums.squeeze(1).log() - wanted[rows]).sum()
            factor = 1 / (n * sums)  # powers * factor = weighted probabilities
            torch.mm(candidates, vectors, out=grad_states[rows]).mul_(factor)
            grad_vectors.addmm_(candidates.T, states[rows] * factor)
            grad_wanted[rows] = scores[:, c] * factor.squeeze(1) - 1 / n
        ctx.save_for_backward(grad_states, grad_vectors, grad_wanted)
        return (total / n).to(states.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        grad_states, grad_vectors, grad_wanted = ctx.saved_tensors
        return grad_states * grad, grad_vectors * grad, grad_wanted * grad, None, None, None


def candidate_cross_entropy(
    states: Tensor,
    vectors: Tensor,
    wanted: Tensor,
    log_weights: Tensor,
    group: Tensor,
    own: Tensor,
) -> Tensor:
    """Return the mean over ``i`` of ``log(exp(w_i) + sum_c exp(s_ic + b_ic)) - w_i``.

    ``s_ic = states[i] . vectors[c]``, ``w_i = wanted[i]``, ``b_ic = log_weights[group[i], c]``; the
    sum leaves out ``c = own[i]``.

    Parameters
    ----------
    states : float tensor, shape [n, dim]
    vectors : float tensor, shape [n_candidates, dim]
    wanted : float tensor, shape [n]
        The targets' scores.
    log_weights : float tensor, shape [n_groups, n_candidates]
        Constant: no gradient flows to it.
    group : int64 tensor, shape [n]
    own : int64 tensor, shape [n]
        The candidate that is the row's own target; ``n_candidates`` where there is none.

    Returns
    -------
    scalar tensor
    """
    result: Tensor = _CandidateSoftmax.apply(states, vectors, wanted, log_weights, group, own)  # type: ignore[no-untyped-call]
    return result
