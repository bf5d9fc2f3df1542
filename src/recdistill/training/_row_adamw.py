"""AdamW whose step costs what a batch touched, and not the whole item table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


class RowAdamW(torch.optim.AdamW):
    """AdamW that leaves the rows of a sparse gradient alone which it says nothing about.

    A row is what dense AdamW (Loshchilov & Hutter, ICLR 2019) would make of it had only the steps
    existed that touched it: its moments decay, its weights decay, and its bias correction counts
    on those steps alone. So a row that every step touches moves as under dense AdamW; one that is
    first touched late does not start with moments that are corrected for steps it never saw (with
    one count for the whole table, its first move would be three times the learning rate).

    Parameters with dense gradients go through torch's own fused AdamW.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one step; see ``torch.optim.Optimizer.step``."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        sparse = [
            (p, group)
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None and p.grad.is_sparse
        ]
        gradients = [p.grad for p, _ in sparse]
        for p, group in sparse:
            self._touch(p, group)
            p.grad = None  # nothing for the dense step
        super().step()
        for (p, _), gradient in zip(sparse, gradients, strict=True):
            p.grad = gradient
        return loss

    def _touch(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            # float32 counts every step up to 2^24, and is what torch loads "step" back as.
            state["step"] = torch.zeros(len(p), device=p.device)
            state["exp_avg"] = torch.zeros_like(p)
            state["exp_avg_sq"] = torch.zeros_like(p)
        gradient = p.grad.coalesce()  # type: ignore[union-attr]
        rows, g = gradient.indices()[0], gradient.values()  # [n_touched], [n_touched, dim]
        beta1, beta2 = group["betas"]
        count = state["step"].index_add_(0, rows, torch.ones_like(rows, dtype=torch.float32))
        count = count[rows, None].double()
        first = state["exp_avg"].index_select(0, rows).lerp_(g, 1 - beta1)
        second = (
            state["exp_avg_sq"].index_select(0, rows).mul_(beta2).addcmul_(g, g, value=1 - beta2)
        )
        size = group["lr"] / (1 - beta1**count)  # [n_touched, 1]
        spread = second.sqrt().div_((1 - beta2**count).sqrt().to(g)).add_(group["eps"])
        moved = p.index_select(0, rows).mul_(1 - group["lr"] * group["weight_decay"])
        moved.sub_(first.div(spread).mul_(size.to(g)))
        state["exp_avg"].index_copy_(0, rows, first)
        state["exp_avg_sq"].index_copy_(0, rows, second)
        p.index_copy_(0, rows, moved)
