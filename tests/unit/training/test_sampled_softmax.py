"""In-batch and drawn candidates together stand for the whole catalog."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.training import MixedSoftmax, SampledSoftmax, Softmax
from recdistill.training._candidate_softmax import candidate_cross_entropy
from recdistill.training._item_draws import ItemDraws

from .test_losses import _inputs


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), n_items=st.integers(2, 30))
def test_all_items_as_candidates_with_exact_weights_are_the_full_softmax(n: int, n_items: int):
    states, table, targets = _inputs(n, n_items)
    ours = candidate_cross_entropy(
        states,
        table[1:],
        (states * table[targets]).sum(1),
        torch.zeros(1, n_items, dtype=torch.float64),  # each expected once, met once
        torch.zeros(n, dtype=torch.int64),
        targets - 1,
    )
    full = Softmax()(states, table, targets)
    torch.testing.assert_close(ours, full)
    for a, b in zip(
        torch.autograd.grad(2 * ours, [states, table]),
        torch.autograd.grad(2 * full, [states, table]),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 40), n_histories=st.integers(1, 5), scale=st.sampled_from([0.1, 300.0]))
def test_mixed_softmax_equals_its_formula_with_gradients(n: int, n_histories: int, scale: float):
    states, table, targets = _inputs(n, 12, scale=scale)
    rows = torch.arange(n) % n_histories
    loss = MixedSoftmax(5, np.arange(13), 1.0)
    torch.manual_seed(4)
    ours = loss(states, table, targets, rows)
    torch.manual_seed(4)
    drawn = ItemDraws(np.arange(13), 1.0)(5).tolist()
    drawn_share, taken_share = np.arange(2, 14) / np.arange(2, 14).sum(), np.arange(1, 13) / 78
    expected = torch.zeros((), dtype=torch.float64)
    for i in range(n):
        own = states[i] @ table[targets[i]]
        others = [int(t) for t, r in zip(targets, rows, strict=True) if r != rows[i]]
        terms = [own]
        for j in {*others, *drawn} - {int(targets[i])}:
            met = others.count(j) + drawn.count(j)
            due = 5 * drawn_share[j - 1] + len(others) * taken_share[j - 1]
            terms.append(states[i] @ table[j] + np.log(met / due))
        expected = expected + (torch.stack(terms).logsumexp(0) - own) / n
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
    for a, b in zip(
        torch.autograd.grad(ours, [states, table]),
        torch.autograd.grad(expected, [states, table]),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_as_many_draws_as_items_are_the_full_softmax():
    states, table, targets = _inputs(21, 12)
    full = Softmax()(states, table, targets)
    assert torch.equal(MixedSoftmax(12, np.arange(13))(states, table, targets), full)


def test_targets_of_one_history_are_no_negatives_of_each_other():
    targets, rows = torch.tensor([1, 2, 3]), torch.tensor([7, 7, 9])
    torch.manual_seed(0)
    items, log_weights, group = MixedSoftmax(1, np.full(10_001, 5)).candidates(targets, rows)
    met = dict(zip(items.tolist(), (log_weights > -torch.inf).T.tolist(), strict=True))
    assert (met[1], met[2], met[3]) == ([False, True], [False, True], [True, False])
    assert group.tolist() == [0, 0, 1]


def test_candidates_sum_to_the_catalog_on_average():
    counts = np.random.default_rng(0).geometric(0.02, 201)
    counts[0] = 0
    loss = MixedSoftmax(40, counts, 0.5, most_in_batch=60)
    taken = torch.from_numpy(counts / counts.sum())
    powers = torch.rand(200, dtype=torch.float64)
    torch.manual_seed(0)
    found = []
    for _ in range(400):
        targets = torch.multinomial(taken, 100, replacement=True)
        items, log_weights, group = loss.candidates(targets, torch.arange(100) // 10)
        assert items.unique().tolist() == items.tolist()
        found.append((log_weights.double().exp() * powers[items - 1]).sum(1)[group].mean())
    assert float(torch.stack(found).mean()) == pytest.approx(float(powers.sum()), rel=0.02)


def test_draws_are_those_of_multinomial():
    counts = np.array([0, 5, 1, 1, 9, 2, 2, 3, 1, 7])
    draw = ItemDraws(counts, 0.5)
    for seed in range(5):
        torch.manual_seed(seed)
        ours = draw(300)
        torch.manual_seed(seed)
        assert torch.equal(ours, torch.multinomial(draw.shares, 300, replacement=True) + 1)


@pytest.mark.parametrize("make", [SampledSoftmax, MixedSoftmax])
def test_sparse_gradients_are_the_dense_ones(make: type[SampledSoftmax | MixedSoftmax]):
    _, table, targets = _inputs(30, 50)
    states = torch.randn(30, 6, dtype=torch.float64)
    gradients = []
    for sparse in (False, True):
        torch.manual_seed(5)
        loss = make(7, np.arange(51), sparse=sparse)(states, table, targets, torch.arange(30) // 4)
        gradients.append(torch.autograd.grad(loss, table)[0])
    assert gradients[1].is_sparse
    torch.testing.assert_close(gradients[1].to_dense(), gradients[0])
