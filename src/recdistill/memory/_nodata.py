"""Run a training step on ``meta`` tensors as a given device would run it.

Tensors on the ``meta`` device have shapes and lifetimes but no data. Most operations allocate there
what they allocate elsewhere. Three do not, and this mode puts them right: fused attention, dropout,
and automatic mixed precision, which PyTorch offers for real devices only.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What automatic mixed precision runs in half and what in single precision, by torch.amp's lists.
_HALF = {"linear", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "addmm", "baddbmm"} | {
    "addbmm",
    "einsum",
    "conv1d",
    "scaled_dot_product_attention",
}
_SINGLE = {
    "cuda": {"layer_norm", "group_norm", "softmax", "log_softmax", "cross_entropy", "nll_loss"}
    | {"mse_loss", "pow", "__pow__", "rsqrt", "exp", "log", "log1p", "expm1", "softplus", "sum"}
    | {"prod", "cumsum", "norm", "cosine_similarity"},
    "cpu": {"mse_loss", "nll_loss", "cosine_embedding_loss"},
}


class NoDataMode(TorchFunctionMode):
    """Make ``meta`` tensors allocate what ``device`` would.

    Parameters
    ----------
    device
        ``cuda`` or ``cpu``.
    autocast
        The dtype of automatic mixed precision, or None without it.
    """

    def __init__(self, device: str, autocast: torch.dtype | None) -> None:
        super().__init__()
        self.device = device
        self.autocast = autocast
        self._casts: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._caching = True

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Any = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "__bool__":
            return False  # without data no row is known to be free of padding: the dearer branch
        if self.autocast is not None:
            if name in _HALF:
                args, kwargs = tree_map(self._to_half, (args, kwargs))
            elif name in _SINGLE[self.device]:
                args, kwargs = tree_map(_to_single, (args, kwargs))
        if func is F.scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        if func is F.dropout and self.device == "cuda":
            return _fused_dropout(*args, **kwargs)
        return func(*args, **kwargs)

    def end_autocast(self) -> None:
        """Forget the half copies of weights, as leaving an autocast block does.

        What checkpointing runs again during the backward still runs in mixed precision.
        """
        self._casts.clear()
        self._caching = False

    def _to_half(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.dtype != torch.float32:
            return value
        if not (value.is_leaf and value.requires_grad):
            return value.to(self.autocast)
        kept = self._casts.get(id(value)) or (value, value.to(self.autocast))
        if self._caching:
            self._casts[id(value)] = kept
        return kept[1]

    def _attention(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> torch.Tensor:
        half = query.dtype in (torch.float16, torch.bfloat16)
        flash = half and attn_mask is None and query.shape[-1] <= 256
        fused = flash or not enable_gqa if self.device == "cuda" else dropout_p == 0.0
        if not fused:
            return F.scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask,
                dropout_p,
                is_causal,
                scale=scale,
                enable_gqa=enable_gqa,
            )
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = attn_mask.to(query.dtype)
        output: torch.Tensor = _FusedAttention.apply(  # type: ignore[no-untyped-call]
            query, key, value, attn_mask, self.device == "cuda" and half
        )
        return output


class _FusedAttention(torch.autograd.Function):
    """The memory of fused attention: inputs, output and one log-sum per query are kept.

    Dao et al. 2022, FlashAttention, algorithm 1 and its backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None,
        half_on_cuda: bool,
    ) -> torch.Tensor:
        batch, heads, length, dim = query.shape  # [batch, heads, length, head_dim]
        output = query.new_empty(batch, length, heads, dim).transpose(1, 2)
        log_sums = query.new_empty(batch, heads, length, dtype=torch.float32)
        ctx.save_for_backward(query, key, value, mask, output, log_sums)
        ctx.half_on_cuda = half_on_cuda
        return output

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        query, key, value, *_ = ctx.saved_tensors
        gradients = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
        if ctx.half_on_cuda:  # the query's gradient is summed up in single precision first
            torch.empty_like(query, dtype=torch.float32)
        return *gradients, None, None


def _fused_dropout(
    input: torch.Tensor,  # noqa: A002 (torch's own name)
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> torch.Tensor:
    if not training or p == 0.0:
        return input
    return torch.native_dropout(input, p, True)[0]


def _to_single(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value


@contextmanager
def no_packing() -> Iterator[None]:
    """Spare transformers the question whether rows hold several documents: it needs values."""
    from transformers import masking_utils

    original = masking_utils.find_packed_sequence_indices
    masking_utils.find_packed_sequence_indices = lambda position_ids: None
    try:
        yield
    finally:
        masking_utils.find_packed_sequence_indices = original


__all__ = ["NoDataMode", "no_packing"]
