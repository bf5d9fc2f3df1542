"""New items get the rows under which they would have been ranked where users took them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.students import item_embedding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from recdistill.data import Sequences
    from recdistill.students import SequentialModel

# Penalty on what a row leaves its start by, in inverse variances of the trained rows' numbers.
_PULL = 0.05
_STEPS = 60
_ROWS_PER_PASS = 64
# Positions where an old item followed only hold the new rows down: a sample of them does.
_MOST_OTHERS = 20_000
_POSITIONS_PER_PASS = 4096
_MOST_LOGITS = 2**24


def fit_new_rows(
    model: SequentialModel,
    train: Sequences,
    n_new: NDArray[np.int64],
    new: NDArray[np.bool_],
    *,
    seed: int,
) -> None:
    """Fit the rows of new items alone, in place, on the positions that the model has not seen.

    A start among neighbours points the right way and is too short: the mean of rows is shorter than
    they are, and the few steps of an update do not make up for it. With the states and the old rows
    as they are, the new rows are a convex problem of their own, and a small one:

        sum_t [log sum_j exp(s_t · e_j) - s_t · e_(y_t)] + pull/2 · sum_(j new) |e_j - start_j|^2

    over the unseen positions ``t`` with states ``s_t`` and next items ``y_t``.

    Parameters
    ----------
    model : SequentialModel
        Its table plain (``fold_text``), new rows at their start.
    train : Sequences
        Training histories of the grown catalog.
    n_new : int array, shape [n_rows]
        Newest interactions of each history that the model was not trained on.
    new : bool array, shape [n_items + 1]
        Items whose rows are fitted; those without an interaction stay where they are.
    seed : int
        Draws among the positions where old items followed, if they are very many.
    """
    met: NDArray[np.bool_] = new & (np.bincount(train.items, minlength=len(new)) > 0)
    if not met.any():
        return
    active = np.flatnonzero((n_new > 0) & (train.lengths > 1))
    if not len(active):
        return
    was_training = model.training
    model.eval()
    with torch.no_grad():
        unseen = _unseen_states(model, train.take(active), n_new[active])
    model.train(was_training)
    table = item_embedding(model).weight
    rows = torch.from_numpy(np.flatnonzero(met)).to(table.device)
    fitted = _fit(table.detach(), rows, *unseen, seed=seed)
    with torch.no_grad():
        table[rows] = fitted


def _unseen_states(
    model: SequentialModel, histories: Sequences, n_new: NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Return the states [n, dim] before each history's newest items, and these items [n]."""
    device = model.item_table().device
    newest = histories.tail(model.max_length + 1)
    states, items = [], []
    for start in range(0, len(newest), _ROWS_PER_PASS):
        part = newest.take(np.arange(start, min(start + _ROWS_PER_PASS, len(newest))))
        padded = torch.from_numpy(part.padded()).to(device)  # [batch, length]
        n_inputs = torch.from_numpy(part.lengths - 1)[:, None]  # [batch, 1]
        count = torch.from_numpy(n_new[start : start + _ROWS_PER_PASS])[:, None]
        place = torch.arange(padded.shape[1] - 1)[None]  # [1, length - 1]
        unseen = ((place < n_inputs) & (place >= n_inputs - count)).to(device)
        states.append(model.encode(padded[:, :-1])[unseen].float())
        items.append(padded[:, 1:][unseen].long())
    return torch.cat(states), torch.cat(items)


def _fit(table: Tensor, rows: Tensor, states: Tensor, items: Tensor, *, seed: int) -> Tensor:
    """Return the rows [n_rows, dim] that make what followed the states most likely."""
    place = torch.full((len(table),), -1, device=table.device)  # among ``rows``, [n_items + 1]
    place[rows] = torch.arange(len(rows), device=table.device)
    old = place < 0
    old[0] = False
    taken, weights = _positions(place[items] >= 0, seed)
    states, followed_by = states[taken], place[items[taken]]
    of_old = _sum_of(table[old], states)
    pull = _PULL / float(table[old].square().mean().clamp(min=1e-12))
    start = table[rows]
    fitted = start.clone().requires_grad_()
    passes = torch.split(torch.arange(len(taken), device=table.device), _POSITIONS_PER_PASS)
    solver = torch.optim.LBFGS([fitted], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        total = pull / 2 * (fitted - start).square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        for part in passes:
            logits = states[part] @ fitted.T  # [positions, n_rows]
            of_all = torch.logaddexp(of_old[part], logits.logsumexp(1))
            new = followed_by[part] >= 0
            of_next = logits[new].gather(1, followed_by[part][new][:, None])
            value = (weights[part] * of_all).sum() - of_next.sum()
            value.backward()  # type: ignore[no-untyped-call]
            total = total + value
        return total.detach()

    solver.step(loss)  # type: ignore[no-untyped-call]
    return fitted.detach()


def _positions(new_followed: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Return all positions where a new item followed, some of the others, and what each counts."""
    hits = torch.nonzero(new_followed).flatten()
    others = torch.nonzero(~new_followed).flatten()
    drawn = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed))
    kept = others[drawn[:_MOST_OTHERS].to(others)]
    weights = torch.ones(len(hits) + len(kept), device=hits.device)
    weights[len(hits) :] = len(others) / max(len(kept), 1)
    return torch.cat([hits, kept]), weights


def _sum_of(table: Tensor, states: Tensor) -> Tensor:
    """Return log sum_j exp(state · e_j) of each state, [n], a bounded number at a time."""
    rows = max(1, _MOST_LOGITS // len(table))
    return torch.cat([(part @ table.T).logsumexp(1) for part in torch.split(states, rows)])
