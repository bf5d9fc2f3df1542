"""What can silently go wrong in a training step, checked and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from recdistill.teachers._network import TeacherNetwork


def audit_parameters(module: nn.Module) -> pd.DataFrame:
    """List every parameter and buffer: name, shape, trainable, dtype, bytes.

    The table that shows a frozen model that isn't, a second copy, or a resized vocabulary.
    """
    named: list[tuple[str, torch.Tensor, str]] = [
        *((name, p, "parameter") for name, p in module.named_parameters()),
        *((name, b, "buffer") for name, b in module.named_buffers()),
    ]
    rows = [
        {
            "name": name,
            "kind": kind,
            "shape": "x".join(map(str, tensor.shape)),
            "trainable": tensor.requires_grad,
            "dtype": str(tensor.dtype).removeprefix("torch."),
            "bytes": tensor.nbytes,
        }
        for name, tensor, kind in named
    ]
    return pd.DataFrame(rows)


def size_metrics(network: TeacherNetwork, audit: pd.DataFrame) -> dict[str, float]:
    """Sum up what ``audit_parameters`` lists, for MLflow."""
    trainable = audit[audit["trainable"]]
    return {
        "model/n_parameters": sum(p.numel() for p in network.parameters()),
        "model/n_trainable": sum(p.numel() for p in network.trainable().values()),
        "model/trainable_mb": trainable["bytes"].sum() / 1e6,
        "model/total_mb": audit["bytes"].sum() / 1e6,
    }


def require_gradients(network: TeacherNetwork, step: int) -> None:
    """Stop unless everything that should learn has received a gradient.

    LoRA starts with B = 0. In the first backward the gradient of A and of the router is therefore
    exactly zero (both reach the output through B), while every expert's B, the projector and the
    head already have one. The first step moves B, so the second backward must reach A and router.

    Parameters
    ----------
    step : int
        1 or 2: which backward has just run.

    Raises
    ------
    UserError
        Naming the parts without gradient.
    """
    missing = [name for name, p in _expected(network, step).items() if not _has_gradient(p)]
    gate = network.gate
    if gate is not None:
        missing += _silent_experts(network, step, gate.n_experts)
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        raise UserError(
            f"After backward {step} there is no gradient in {shown}: that part would never learn. "
            "Check target_modules, checkpointing and the learning rates."
        )


def _expected(network: TeacherNetwork, step: int) -> dict[str, nn.Parameter]:
    names = ["head.state.", "head.from_vector."]
    if network.peft is not None:
        names.append("projector.")
    # One expert has weight one whatever the router says.
    if step > 1 and network.gate is not None and network.gate.n_experts > 1:
        names.append("router.")
    return {n: p for n, p in network.trainable().items() if n.startswith(tuple(names))}


def _silent_experts(network: TeacherNetwork, step: int, n_experts: int) -> list[str]:
    out = []
    for name, p in network.trainable().items():
        side = "A" if ".lora_A." in name else "B" if ".lora_B." in name else ""
        if not side or (side == "A" and step < 2):
            continue
        if p.grad is None:
            out.append(name)
            continue
        # Experts share A by rows and B by columns.
        parts = p.grad.chunk(n_experts, dim=0 if side == "A" else 1)
        out += [f"{name}[expert {k}]" for k, part in enumerate(parts) if not part.any()]
    return out


def _has_gradient(p: nn.Parameter) -> bool:
    return p.grad is not None and bool(p.grad.any())


def require_finite_gradients(module: nn.Module, step: int) -> None:
    """Stop at the first parameter whose gradient is not finite.

    Raises
    ------
    UserError
    """
    for name, p in module.named_parameters():
        if p.grad is not None and not torch.isfinite(p.grad).all():
            raise UserError(
                f"The gradient of {name} is not finite at step {step}: lower the learning rates, "
                "or use precision=32-true to see whether the number format is to blame."
            )


def explain_nonfinite(network: nn.Module, forward: Callable[[], object], step: int) -> UserError:
    """Find the first tensor that is not finite and return the error that names it.

    Looks at the parameters first, then repeats the forward with a hook on every module.
    """
    for name, p in network.named_parameters():
        if not torch.isfinite(p).all():
            return UserError(
                f"The loss is not finite at step {step} because the parameter {name} is not: an "
                "earlier step broke it; lower the learning rates."
            )
    found: list[str] = []

    def look(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            tensor = output[0] if isinstance(output, tuple) else output
            bad = isinstance(tensor, torch.Tensor) and not torch.isfinite(tensor).all()
            if bad and not found:
                found.append(name)

        return hook

    hooks = [m.register_forward_hook(look(n)) for n, m in network.named_modules() if n]
    try:
        forward()
    finally:
        for handle in hooks:
            handle.remove()
    where = f"the first bad output is that of {found[0]}" if found else "no module's output is bad"
    return UserError(
        f"The loss is not finite at step {step}; {where}: use precision=bf16-mixed or 32-true if "
        "it is a half-precision overflow, else lower the learning rates."
    )
