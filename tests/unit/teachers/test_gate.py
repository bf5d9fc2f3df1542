from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from recdistill.teachers import Gate
from recdistill.teachers._gate import attach_gate, register_gate

from .conftest import make_network, tiny_llm


def gated(family: str, *, n_experts: int = 2, seed: int = 0) -> tuple[nn.Module, Gate]:
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(seed)
    gate = Gate(n_experts, 4)
    model = get_peft_model(tiny_llm(family).model, register_gate(config))
    assert attach_gate(model, gate) > 0
    fill(model)
    return model, gate


def plain(family: str, *, seed: int = 0) -> nn.Module:
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(seed)
    model = get_peft_model(tiny_llm(family).model, config)
    fill(model)
    return model


def fill(model: nn.Module) -> None:
    generator = torch.Generator().manual_seed(5)
    for name, p in model.named_parameters():
        if "lora_" in name:
            p.data.normal_(std=0.3, generator=generator)


def adapter_gradients(model: nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if "lora_" in n}


IDS = torch.tensor([[2, 5, 7, 3, 9], [4, 4, 8, 1, 6]])


@pytest.mark.parametrize("family", ["llama", "gpt2", "opt", "qwen2"])
def test_uniform_gate_equals_plain_lora_in_output_and_gradients(family: str) -> None:
    model, gate = gated(family)
    reference = plain(family)
    expected = reference(input_ids=IDS).logits
    expected.square().mean().backward()
    with gate:
        gate.set(torch.full((2, 5, 2), 0.5))
        got = model(input_ids=IDS).logits
        got.square().mean().backward()
    torch.testing.assert_close(got, expected)
    want = adapter_gradients(reference)
    for name, gradient in adapter_gradients(model).items():
        torch.testing.assert_close(gradient, want[name], msg=name)


def test_the_cheap_form_equals_the_mixture_of_experts_written_out() -> None:
    model, gate = gated("llama", n_experts=2)
    layer = next(m for m in model.modules() if hasattr(m, "gate"))
    x = torch.randn(2, 5, layer.in_features)
    weights = torch.rand(2, 5, 2).softmax(-1)
    with gate:
        gate.set(weights)
        got = layer(x)
    a, b = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    expected = layer.base_layer(x)
    scale = 8 / (4 // 2)  # alpha over the rank of one expert, as in the paper
    for k in range(2):
        part = slice(2 * k, 2 * k + 2)
        expected = expected + scale * weights[..., k : k + 1] * (x @ a[part].T @ b[:, part].T)
    torch.testing.assert_close(got, expected)


def test_checkpointing_changes_no_gradient_not_even_the_gates() -> None:
    gradients = []
    for checkpointing in (False, True):
        model, gate = gated("llama")
        if checkpointing:
            model.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
        model.train()
        logits = torch.linspace(-1, 1, 20).view(2, 5, 2).requires_grad_()
        with gate:
            gate.set(logits.softmax(-1))
            model(input_ids=IDS).logits.square().mean().backward()
        gradients.append({**adapter_gradients(model), "gate": logits.grad})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)
    assert gradients[0]["gate"].any()


def test_a_gate_left_before_the_backward_is_an_error_under_checkpointing() -> None:
    model, gate = gated("llama")
    model.get_base_model().gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    with gate:
        gate.set(torch.full((2, 5, 2), 0.5))
        loss = model(input_ids=IDS).logits.mean()
    with pytest.raises(RuntimeError, match="before the router had set the gate"):
        loss.backward()


def test_setting_a_closed_gate_and_merging_are_refused() -> None:
    model, gate = gated("llama")
    with pytest.raises(RuntimeError, match="open the gate"):
        gate.set(torch.full((1, 1, 2), 0.5))
    with pytest.raises(RuntimeError, match="cannot be merged"):
        model.merge_adapter()


def test_plain_and_gated_teachers_have_the_same_adapter_parameters() -> None:
    gated_names = {n for n in make_network().trainable() if "lora_" in n}
    lora = make_network(adapter="lora")
    assert gated_names == {n for n in lora.trainable() if "lora_" in n}
