"""The shared pass equals plain autograd over the whole matrix of scores."""

import pytest
import torch

from recdistill.data import Sequences
from recdistill.distillation import (
    DROS,
    Answer,
    DROSConfig,
    Listwise,
    ListwiseConfig,
    Ranking,
    RankingConfig,
    ReferenceRanking,
    Term,
)
from recdistill.distillation._catalog_pass import Asked, catalog_pass


def plain(small, weights, asked):
    """The same total with one [n, n_items] matrix and nothing clever."""
    logits = small.logits()
    total = (weights * logits.logsumexp(1)).sum()
    for a in asked:
        scores = logits.gather(1, (a.question.items - 1).clamp(min=0))
        temperature = a.term.temperature
        normaliser = None if temperature is None else (logits / temperature).logsumexp(1)
        answer = Answer(scores, normaliser, logits.detach(), 1.0, logits)
        losses = a.term.row_losses(answer, *a.question.given)
        total = total + a.weight * (losses * a.question.weights).sum() / len(logits)
    return total


def terms(small) -> list[Term]:
    counts = torch.arange(small.n_items + 1)
    histories = Sequences.from_lists([[1, 2]] * len(small.states))
    return [
        Listwise(ListwiseConfig()),
        Listwise(ListwiseConfig(temperature=2.5)),
        Listwise(ListwiseConfig(temperature=0.5, tail="bucket")),
        Listwise(ListwiseConfig(tail="bucket")),
        Ranking(RankingConfig(n_negatives=3, consistency=0)),
        ReferenceRanking(RankingConfig(variant="reference_code"), DROSConfig(), counts, histories),
        DROS(DROSConfig(beta=3.0), counts),
    ]


@pytest.mark.parametrize("base", [0.0, 1.0])
@pytest.mark.parametrize("which", [[i] for i in range(7)] + [list(range(7)), []])
def test_pass_equals_plain_autograd(small, which, base):
    torch.manual_seed(0)
    asked = []
    for i in which:
        term = terms(small)[i]
        question = term.ask(small.lesson, small.targets, small.n_items)
        asked.append(Asked(term, question, 0.3 + i))
    weights = torch.full((len(small.states),), base / len(small.states), dtype=torch.float64)

    expected = plain(small, weights, asked)
    wanted = torch.autograd.grad(expected, [small.states, small.table])
    for chunk in (4, 100):
        total, log_sum, values = catalog_pass(small.states, small.table, weights, asked, chunk)
        found = torch.autograd.grad(2 * total, [small.states, small.table])
        assert torch.allclose(total, expected)
        parts = [a.weight * v for a, v in zip(asked, values, strict=True)]
        assert torch.allclose(log_sum + sum(parts), expected)
        assert torch.allclose(found[0], 2 * wanted[0])
        assert torch.allclose(found[1], 2 * wanted[1])


@pytest.mark.parametrize(("n_items", "k"), [(90, 1), (90, 2), (7, 3), (1000, 10), (3, 5)])
def test_kth_best_is_exact(n_items, k):
    scores = torch.randn(50, n_items, generator=torch.Generator().manual_seed(1))
    found = Answer(scores, None, scores, 1.0).kth_best(k)
    best = scores.sort(1, descending=True).values
    assert torch.equal(found[:, 0], best[:, min(k, n_items) - 1])
