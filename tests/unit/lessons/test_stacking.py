"""Teachers are weighed by what they know about users they never saw."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from recdistill.errors import UserError
from recdistill.lessons import comparable, stack

N_CASES, N_ITEMS = 400, 12


def drawn_from(logits: torch.Tensor) -> torch.Tensor:
    return torch.distributions.Categorical(logits=logits[:, 1:]).sample() + 1


def member(generator: torch.Generator) -> torch.Tensor:
    scores = torch.randn(N_CASES, N_ITEMS + 1, generator=generator)
    scores[:, 0] = -torch.inf
    return scores


@pytest.fixture
def nothing_hidden() -> torch.Tensor:
    return torch.zeros(N_CASES, N_ITEMS + 1, dtype=torch.bool)


def test_the_weights_that_made_the_targets_are_found(nothing_hidden: torch.Tensor) -> None:
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    a, b, noise = member(g), member(g), member(g)
    targets = drawn_from((1.5 * a[:, :] + 0.5 * b).nan_to_num(neginf=-1e9))
    (wa, wb, wn), loss = stack([a, b, noise], targets, nothing_hidden)
    assert wa == pytest.approx(1.5, abs=0.3)
    assert wb == pytest.approx(0.5, abs=0.3)
    assert wn < 0.2
    alone = stack([a], targets, nothing_hidden)[1]
    assert loss < alone


def test_a_member_that_misleads_gets_nothing(nothing_hidden: torch.Tensor) -> None:
    torch.manual_seed(0)
    truth = member(torch.Generator().manual_seed(1))
    targets = drawn_from(2 * truth)
    weights, _ = stack(
        [truth, torch.cat([truth[:, :1], -truth[:, 1:]], 1)], targets, nothing_hidden
    )
    assert weights[0] > 0
    assert min(weights) >= 0


def test_hidden_targets_are_left_out(nothing_hidden: torch.Tensor) -> None:
    scores = member(torch.Generator().manual_seed(2))
    targets = torch.ones(N_CASES, dtype=torch.int64)
    hidden = nothing_hidden.clone()
    hidden[:, 1] = True
    with pytest.raises(UserError, match="No target is left"):
        stack([scores], targets, hidden)


def test_votes_become_logarithms_and_regressions_are_standardised() -> None:
    votes = torch.tensor([[-torch.inf, 1.0, 10.0, 100.0]])
    logs = comparable(SimpleNamespace(kind="counter"), votes)[0, 1:]
    assert torch.allclose(logs.diff(), torch.full((2,), torch.tensor(10.0).log()))
    for kind in ("ease", "ease_text"):
        ridge = comparable(SimpleNamespace(kind=kind), votes)[0, 1:]
        assert float(ridge.square().mean()) == pytest.approx(1.0)
    network = comparable(SimpleNamespace(), votes)[0, 1:]
    assert torch.equal(network.diff(), votes[0, 1:].diff())
