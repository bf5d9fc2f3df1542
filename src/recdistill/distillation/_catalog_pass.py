"""One pass over the catalog's scores for the base loss and every term together.

The matrix products with the item table are most of what a training step costs. A term that made
its own would double the step, so all losses share one pass: while a chunk of scores is in cache,
the log-sum-exp of the base loss is taken, every term's question is answered out of the same chunk,
and the gradients of all of them are added up before the two products that carry them back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from recdistill.distillation._terms import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from recdistill.distillation._terms import Question, Term

# As in training: small enough to stay in cache, large enough for full-rate matrix products.
_CHUNK_BYTES = 2**21
_LN2 = math.log(2)


@dataclass(frozen=True)
class Asked:
    """A term, its question about the targets of a step, and its weight in the total."""

    term: Term
    question: Question
    weight: float


def catalog_pass(
    states: Tensor,
    table: Tensor,
    weights: Tensor,
    asked: Sequence[Asked],
    chunk: int | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return ``sum_i weights[i] * lse_i`` and every term, for the price of one full softmax.

    ``lse_i`` is the log-sum-exp of the scores ``states[i] . table[j]`` over all items ``j``.

    Parameters
    ----------
    states : float tensor, shape [n_targets, dim]
    table : float tensor, shape [n_items + 1, dim], row 0 padding
    weights : float tensor, shape [n_targets]
        Constant: no gradient flows to it. All zeros leave the base loss out.
    asked : what the terms want to know
    chunk : int, optional
        Targets per chunk; default: as many as two megabytes of scores hold.

    Returns
    -------
    total : scalar tensor
        The log-sum-exp part plus every term times its weight; differentiable.
    log_sum : scalar float64 tensor
        The log-sum-exp part alone, without gradient.
    values : float64 tensor, shape [n_terms]
        Every term, unweighted, a mean over the targets, without gradient.
    """
    if chunk is None:
        chunk = max(64, min(1024, _CHUNK_BYTES // (4 * len(table)) // 64 * 64))
    total, values = _CatalogPass.apply(  # type: ignore[no-untyped-call]
        states, table[1:], weights, asked, chunk
    )
    return total, values[0], values[1:]


class _CatalogPass(torch.autograd.Function):
    """Like ``training.weighted_logsumexp``, gradients are made in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        states: Tensor,
        items: Tensor,
        weights: Tensor,
        asked: Sequence[Asked],
        chunk: int,
    ) -> tuple[Tensor, Tensor]:
        n = len(states)
        # exp2 is several times faster than exp on CPU; log2(e) goes into the small matrix.
        scaled = states / _LN2
        grad_states, grad_items = torch.empty_like(states), torch.zeros_like(items)
        buffers = states.new_empty(2, min(chunk, n), len(items))
        values = torch.zeros(1 + len(asked), dtype=torch.float64, device=states.device)
        for start in range(0, n, chunk):
            rows = slice(start, min(start + chunk, n))
            logits, grad = buffers[:, : rows.stop - start]
            torch.mm(scaled[rows], items.T, out=logits)  # [chunk, n_items], units of log(2)
            top = logits.amax(1, keepdim=True)
            sums = torch.sub(logits, top, out=grad).exp2_().sum(1, keepdim=True)
            log_sums = top * _LN2 + sums.log()  # [chunk, 1]
            values[0] += (log_sums.squeeze(1) * weights[rows]).sum()
            answers = [_consult(a, rows, logits, top, log_sums, n) for a in asked]
            for i, answer in enumerate(answers, start=1):
                values[i] += answer.value
            # From here on the buffer holds the gradient of the total for every score.
            factor = sum((a.for_log_sum for a in answers), weights[rows])
            grad.mul_(factor[:, None] / sums)
            for question, answer in zip(asked, answers, strict=True):
                answer.add_to(grad, question.question.items[rows])
            torch.mm(grad, items, out=grad_states[rows])
            grad_items.addmm_(grad.T, states[rows])
        ctx.save_for_backward(grad_states, grad_items)
        ctx.mark_non_differentiable(values)
        total = values[0] + sum(a.weight * v for a, v in zip(asked, values[1:], strict=True))
        return total.to(states.dtype), values

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Any, ...]:
        grad_states, grad_items = ctx.saved_tensors
        return grad_states * grad, grad_items * grad, None, None, None


@dataclass(frozen=True)
class _Consulted:
    """A term's value on a chunk and the gradients of its weighted value.

    Attributes
    ----------
    value : scalar tensor
    for_log_sum : float tensor, shape [chunk]
        Gradient for the log-sum-exp at temperature 1, which the base loss carries on.
    for_asked : float tensor, shape [chunk, n_asked], or None
    for_catalog : float tensor, shape [chunk, n_items], or None
    """

    value: Tensor
    for_log_sum: Tensor
    for_asked: Tensor | None
    for_catalog: Tensor | None

    def add_to(self, grad: Tensor, asked_items: Tensor) -> None:
        if self.for_catalog is not None:
            grad.add_(self.for_catalog)
        if self.for_asked is not None:
            grad.scatter_add_(1, (asked_items - 1).clamp_(min=0), self.for_asked)


@torch.enable_grad()
def _consult(
    asked: Asked, rows: slice, logits: Tensor, top: Tensor, log_sums: Tensor, n: int
) -> _Consulted:
    """Let a term judge a chunk; autograd runs over the few scores it asked for."""
    term, question = asked.term, asked.question
    columns = (question.items[rows] - 1).clamp_(min=0)
    catalog = (logits * _LN2).requires_grad_() if term.dense else None
    if catalog is not None:
        scores, leaf = catalog.gather(1, columns), catalog
    else:
        leaf = scores = (logits.gather(1, columns) * _LN2).requires_grad_()
    leaves, probabilities, normaliser = [leaf], None, None
    if term.temperature is not None:
        normaliser = log_sums.squeeze(1).clone()
        if term.temperature != 1:
            probabilities = (logits - top).div_(term.temperature).exp2_()  # [chunk, n_items]
            sums = probabilities.sum(1, keepdim=True)
            probabilities.div_(sums)
            normaliser = (top * (_LN2 / term.temperature) + sums.log()).squeeze(1)
        leaves.append(normaliser.requires_grad_())
    answer = Answer(scores, normaliser, logits, _LN2, catalog)
    losses = term.row_losses(answer, *(given[rows] for given in question.given))
    value = (losses * question.weights[rows]).sum() / n
    for_leaf, *rest = torch.autograd.grad(asked.weight * value, leaves)
    for_log_sum = torch.zeros_like(log_sums).squeeze(1)
    for_catalog = for_leaf if term.dense else None
    if rest and probabilities is None:
        for_log_sum = rest[0]
    elif rest and probabilities is not None and term.temperature is not None:
        probabilities.mul_(rest[0][:, None] / term.temperature)
        for_catalog = probabilities if for_catalog is None else probabilities + for_catalog
    return _Consulted(value.detach(), for_log_sum, None if term.dense else for_leaf, for_catalog)
