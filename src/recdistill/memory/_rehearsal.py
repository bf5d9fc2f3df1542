"""Rehearse one training step on tensors without data and keep the ledger of its storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.autograd.graph import _engine_run_backward

from recdistill.memory._ledger import Ledger
from recdistill.memory._nodata import NoDataMode, no_packing
from recdistill.memory._step import DTYPES, StepBuilder, decoder_step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from recdistill.memory._settings import MemorySettings

ALLOCATOR_BLOCK = {"cuda": 512, "cpu": 1}  # PyTorch's CUDA allocator rounds up to 512 bytes
# cuBLAS keeps one workspace per stream, taken from PyTorch's allocator (:4096:2:16:8; four times
# as much on Hopper, which the allocator margin covers).
WORKSPACE_BYTES = {"cuda": 8_519_680, "cpu": 0}
# Bytes per weight of a quantised linear layer, block constants included.
QUANTISED_BYTES = {"int8": 1.0 + 1 / 1024, "nf4": 0.5 + 1 / 64 + 4 / (64 * 256)}


def make_optimizer(
    parameters: Iterable[nn.Parameter], settings: MemorySettings
) -> torch.optim.Optimizer:
    """Make the settings' optimizer; multi-tensor on CUDA, which is PyTorch's default there."""
    foreach = settings.device == "cuda"
    kinds: dict[str, type[torch.optim.Optimizer]] = {
        "adamw": torch.optim.AdamW,
        "sgd": torch.optim.SGD,
    }
    return kinds[settings.optimizer](list(parameters), lr=1e-4, foreach=foreach)  # type: ignore[call-arg]


def half_precision(settings: MemorySettings) -> torch.dtype | None:
    """Dtype of automatic mixed precision, None in single precision."""
    return None if settings.precision == "fp32" else DTYPES[settings.precision]


def fill_optimizer_state(optimizer: torch.optim.Optimizer) -> None:
    """Make the state that every step but the first finds: it is resident during the forward."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
        group["lr"], rate = 0.0, group["lr"]
    optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)


def state_tensors(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Every tensor the optimizer keeps between steps."""
    return [
        value
        for state in optimizer.state.values()
        for value in state.values()
        if isinstance(value, torch.Tensor)
    ]


def rehearse(settings: MemorySettings, build: StepBuilder = decoder_step) -> Ledger:
    """Run forward, backward and optimizer step on ``meta`` tensors.

    Every operation of the real model is dispatched at its real size, so what autograd keeps is
    observed, not modelled, for whatever architecture the configuration names.
    """
    device = settings.device
    step = build(settings, torch.device("meta"))
    ledger = Ledger(step.model, ALLOCATOR_BLOCK[device])
    _record_resident(ledger, step.model, settings)
    optimizer = make_optimizer(step.trainable, settings)
    fill_optimizer_state(optimizer)
    ledger.relabel(state_tensors(optimizer), "optimizer")
    held = [torch.zeros_like(p) for _ in range(settings.copies) for p in step.trainable]
    ledger.relabel(held, "copies")
    mode = NoDataMode(device, half_precision(settings))
    with no_packing(), mode, ledger, ledger.following_modules():
        ledger.enter_phase("forward")
        with step.around():
            loss = step.loss()
            mode.end_autocast()
            ledger.enter_phase("backward")
            # Tensor.backward would suspend the mode, and checkpointing runs layers again in there.
            _engine_run_backward(
                (loss,),
                (torch.ones_like(loss),),
                False,
                False,
                (),
                allow_unreachable=True,
                accumulate_grad=True,
            )
        del loss
        ledger.relabel((p.grad for p in step.trainable if p.grad is not None), "gradients")
        ledger.enter_phase("optimizer")
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return ledger


def _record_resident(ledger: Ledger, model: nn.Module, settings: MemorySettings) -> None:
    widest = 0
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            entry = ledger.record(parameter, "trainable" if parameter.requires_grad else "weights")
            linear = isinstance(module, nn.Linear) and module is not _head(model)
            if settings.quant != "none" and linear and entry.cause == "weights":
                n_weights = entry.n_bytes // parameter.element_size()
                entry.n_bytes = int(n_weights * QUANTISED_BYTES[settings.quant])
                widest = max(widest, n_weights * 2)
        for buffer in module.buffers(recurse=False):
            ledger.record(buffer, "weights")
    if widest:  # one layer at a time is expanded to half precision for its product
        ledger.reserve(widest, "dequantised")
    if WORKSPACE_BYTES[settings.device]:
        ledger.reserve(WORKSPACE_BYTES[settings.device], "workspace")


def _head(model: nn.Module) -> nn.Module | None:
    """Find the vocabulary head, which quantisation leaves alone."""
    for module in model.modules():
        if hasattr(module, "get_output_embeddings"):
            decoder: Any = module
            head: nn.Module | None = decoder.get_output_embeddings()
            return head
    return None
