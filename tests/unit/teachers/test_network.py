from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from recdistill.errors import UserError
from recdistill.teachers import HeadSettings, LoraSettings, TeacherNetwork, TeacherSettings

from .conftest import RunningMean, make_catalog, make_network, make_recommender, tiny_llm

HISTORY = torch.tensor([[3, 7, 1, 9, 4, 2]])
STYLES = [
    {"prompt": "compact"},
    {"prompt": "hybrid"},
    {"prompt": "hybrid", "head": HeadSettings(dim=8, dropout=0.0, residual=True)},
    {"adapter": "head"},
    {"adapter": "none"},
]


def scores(network: TeacherNetwork, items: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network.encode(items) @ network.item_table().T


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_the_future_changes_neither_states_nor_scores_of_the_past(style: dict) -> None:
    network = make_network(**style)
    changed = HISTORY.clone()
    changed[:, 4:] = torch.tensor([11, 12])
    before, after = scores(network, HISTORY), scores(network, changed)
    torch.testing.assert_close(after[:, :5], before[:, :5])
    assert not torch.allclose(after[:, 5:], before[:, 5:])
    shorter = scores(network, HISTORY[:, :4])
    torch.testing.assert_close(shorter, before[:, :5])


@pytest.mark.parametrize("family", ["gpt2", "opt", "qwen2"])
def test_other_families_read_prefixes_too(family: str) -> None:
    network = make_network(family, prompt="hybrid")
    before = scores(network, HISTORY)
    torch.testing.assert_close(scores(network, HISTORY[:, :3]), before[:, :4])
    assert before.std() > 0


def test_the_router_sees_the_prefix_only() -> None:
    network = make_network(prompt="hybrid")
    seen: list[torch.Tensor] = []
    network.router.register_forward_hook(lambda _m, _i, out: seen.append(out))
    changed = HISTORY.clone()
    changed[:, 3:] = 12
    scores(network, HISTORY)
    scores(network, changed)
    torch.testing.assert_close(seen[0][:, :4], seen[1][:, :4])
    assert not torch.allclose(seen[0][:, 4:], seen[1][:, 4:])
    assert seen[0].shape == (1, 7, 2)


@pytest.mark.parametrize("prompt", ["compact", "hybrid"])
def test_a_history_scores_the_same_in_any_batch(prompt: str) -> None:
    network = make_network(prompt=prompt)
    alone = scores(network, HISTORY)
    batch = torch.tensor([[8, 0, 0, 0, 0, 0, 0, 0], [*HISTORY[0].tolist(), 0, 0], [5] * 8])
    torch.testing.assert_close(scores(network, batch)[1:2, :7], alone)


def test_recommender_stays_frozen_and_in_eval_mode_while_the_rest_trains() -> None:
    network = make_network().train()
    assert network.training
    assert not network.recommender.training
    assert not network.recommender.dropout.training
    assert not any(p.requires_grad for p in network.recommender.parameters())
    # Its dropout of one half would make two forwards differ.
    with network.gate:
        torch.testing.assert_close(network.encode(HISTORY), network.encode(HISTORY))


def test_only_adapter_router_projector_and_head_learn() -> None:
    parts = {name.split(".")[0] for name in make_network().trainable()}
    assert parts == {"peft", "router", "projector", "head"}
    inside = [n for n in make_network().trainable() if n.startswith("peft.")]
    assert inside
    assert all("lora_" in name for name in inside)


def test_residual_adds_the_recommenders_own_logits() -> None:
    network = make_network(head=HeadSettings(dim=8, dropout=0.0, residual=True))
    with torch.no_grad():
        own = network.recommender.encode(HISTORY) @ network.recommender.item_table().T
        network.head.residual_weight.zero_()
        without = scores(network, HISTORY)
        network.head.residual_weight.fill_(2.0)
    torch.testing.assert_close(scores(network, HISTORY)[:, 1:], without[:, 1:] + 2 * own)


def test_a_recommender_that_looks_ahead_is_refused() -> None:
    class Peeking(RunningMean):
        def encode(self, items: torch.Tensor) -> torch.Tensor:
            return super().encode(items) + self.items(items).sum(1, keepdim=True)

    with pytest.raises(UserError, match="would see the future"):
        TeacherNetwork(Peeking(), tiny_llm(), make_catalog(), make_network().settings)


def test_prompts_that_cannot_fit_are_refused() -> None:
    settings = replace(make_network().settings, prompt="hybrid", max_length=100)
    with pytest.raises(UserError, match="reads at most 128 tokens"):
        TeacherNetwork(make_recommender(max_length=100), tiny_llm(), make_catalog(), settings)


def test_longer_histories_than_the_baseline_reads_are_refused() -> None:
    with pytest.raises(UserError, match="the baseline reads 8 items"):
        make_network(max_length=9)


def test_unknown_target_modules_are_refused() -> None:
    with pytest.raises(UserError, match="target_modules=nope"):
        make_network(target_modules="nope")


def test_rank_must_divide_into_experts() -> None:
    with pytest.raises(UserError, match="multiple"):
        TeacherSettings(lora_r=8, n_experts=3)


def test_mlp_router_gives_distributions() -> None:
    network = make_network(n_experts=4, lora=LoraSettings(router="mlp"))
    weights = network.router(make_recommender().eval().encode(HISTORY))
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 6))
