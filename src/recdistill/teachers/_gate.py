"""Gated LoRA: a mixture of LoRA experts for the price of one LoRA.

iLoRA (arXiv 2408.10159) adds to a frozen linear map the mixture ``s * sum_k g_k B_k A_k x`` of
``n`` experts of rank ``r/n`` with ``s = alpha/(r/n)``. The sum is the same as gating the rank-r
vector and multiplying once, ``s * B((g (x) 1_{r/n}) * (A x))``, so no tensor of shape
[batch, length, n_experts, out] ever exists. Written with ``alpha/r`` as PEFT's scale and the gate
multiplied by ``n``, a uniform gate is a factor of one: plain LoRA. Where PEFT scales the wide
output, here the scale is multiplied into the gate once per batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import torch
from peft.tuners.lora import Linear as LoraLinear
from peft.tuners.lora.layer import LoraVariant
from torch import nn
from transformers.pytorch_utils import Conv1D

if TYPE_CHECKING:
    from types import TracebackType

    from peft import LoraConfig


class Gate:
    """Holds one batch's expert weights from the forward until after the backward.

    Activation checkpointing runs every layer a second time during the backward, and must find the
    gate of the forward it repeats: so the gate is opened by the caller, around both::

        with gate:
            loss = loss_of(network(batch))
            loss.backward()

    and closed by leaving the block. A gated layer that finds no weights stops with an error
    instead of guessing. Only non-reentrant checkpointing works: the reentrant kind would walk
    the router's graph once per layer, and the second walk finds it freed.
    """

    def __init__(self, n_experts: int, rank: int) -> None:
        if rank % n_experts:
            raise ValueError(f"rank {rank} is not a multiple of {n_experts} experts")
        self.n_experts = n_experts
        self.rank = rank
        self.scale = 1.0
        self._entered = 0
        self._expanded: torch.Tensor | None = None

    def __enter__(self) -> Gate:
        self._entered += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._entered -= 1
        if not self._entered:
            self._expanded = None

    def set(self, weights: torch.Tensor) -> None:
        """Take the router's output for the coming forward.

        Parameters
        ----------
        weights : tensor, shape [batch, length, n_experts] or [batch, 1, n_experts]
            Non-negative, summing to one over the experts.
        """
        if not self._entered:
            raise RuntimeError("open the gate around forward and backward: `with network.gate:`")
        # [batch, length, n_experts] -> [batch, length, rank]; once here instead of in every layer
        self._expanded = (weights * (self.n_experts * self.scale)).repeat_interleave(
            self.rank // self.n_experts, dim=-1
        )

    @property
    def expanded(self) -> torch.Tensor:
        """Factor on each of the r low-rank units, shape [batch, length, rank], PEFT's included."""
        if self._expanded is None:
            raise RuntimeError("a gated layer ran before the router had set the gate")
        return self._expanded


class GatedVariant(LoraVariant):  # type: ignore[misc]
    """The gated form in PEFT's variant protocol; no merging, as every input has its own gate."""

    def supports_lora_conversion(self) -> bool:
        """Plain LoRA has no gate."""
        return False

    @staticmethod
    def init(module: Any, adapter_name: str, **kwargs: Any) -> None:
        """Nothing beside LoRA's own matrices: kaiming-uniform A, zero B."""

    @staticmethod
    def forward(
        module: Any, active_adapter: str, x: torch.Tensor, result: torch.Tensor, **kwargs: Any
    ) -> torch.Tensor:
        """Add the gated low-rank update to the frozen layer's result."""
        x = module.lora_dropout[active_adapter](x)
        low = module.lora_A[active_adapter](x)  # [batch, length, rank]
        # PEFT's scale is in the factor: on the rank-r side, where it costs nothing.
        factor = module.gate.expanded.to(low.dtype)
        if low.dim() == 2:  # some models (OPT) flatten [batch, length] around their inner layers
            batch = len(factor)
            factor = factor.expand(batch, len(low) // batch, -1).flatten(0, 1)
        update: torch.Tensor = module.lora_B[active_adapter](low * factor)
        return result + update

    @staticmethod
    def merge_safe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> NoReturn:
        """Refuse: see the class."""
        raise RuntimeError(
            "a gated adapter cannot be merged: its weights differ for every input, keep it beside "
            "the frozen model"
        )

    @staticmethod
    def merge_unsafe(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> NoReturn:
        """Refuse: see the class."""
        GatedVariant.merge_safe(module, active_adapter, orig_weight)

    @staticmethod
    def unmerge(module: Any, active_adapter: str, orig_weight: torch.Tensor) -> NoReturn:
        """Refuse: see the class."""
        GatedVariant.merge_safe(module, active_adapter, orig_weight)


class GatedLinear(LoraLinear):  # type: ignore[misc]
    """PEFT's LoRA layer with a gate on the low-rank units."""

    gate: Gate

    def resolve_lora_variant(self, **kwargs: Any) -> LoraVariant:
        """Every adapter on this layer is gated."""
        return GatedVariant()


def register_gate(config: LoraConfig) -> LoraConfig:
    """Make PEFT build gated layers from this config.

    PEFT keeps the registration out of the saved config, so loading registers it again. GPT-2
    family models use ``Conv1D``, a linear map stored transposed; only merging would care.
    """
    config._register_custom_module({nn.Linear: GatedLinear, Conv1D: GatedLinear})
    return config


def attach_gate(model: nn.Module, gate: Gate) -> int:
    """Point every gated layer of the model at this gate and return how many there are.

    Raises
    ------
    ValueError
        When the layers are not scaled alike: one gate serves them all.
    """
    layers: list[Any] = [module for module in model.modules() if isinstance(module, GatedLinear)]
    scales = {scale for layer in layers for scale in layer.scaling.values()}
    if len(scales) > 1:
        raise ValueError(f"the adapted layers have different scales: {sorted(scales)}")
    gate.scale = scales.pop() if scales else 1.0
    for layer in layers:
        layer.gate = gate
    return len(layers)
