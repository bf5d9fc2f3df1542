"""A second device for machines that have none: it says ``meta`` and computes on the CPU.

A tensor moved there keeps its values, and every operation that a GPU refuses because its tensors
are on two devices is refused here, too. So a step that runs here with the CPU's result creates
nothing on the wrong device and moves everything that it must.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._mode_utils import no_dispatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

SECOND = torch.device("meta")
_aten = torch.ops.aten
# As on CUDA: copies go between devices, and an index may be on the CPU.
_BETWEEN = {_aten.copy_.default, _aten._to_copy.default}
_INDEXED = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default}


class OnSecond(torch.Tensor):
    """A tensor of the second device; ``inner`` holds its values."""

    inner: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> OnSecond:
        """Wrap a tensor of the CPU."""
        wrapped: OnSecond = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=SECOND,
        )
        wrapped.inner = inner
        return wrapped

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU."""
        return _compute(func, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """``with SecondDevice():`` makes ``device="meta"`` the second device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU."""
        return _compute(func, args, kwargs or {})


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    second = [t for t in tensors if isinstance(t, OnSecond)]
    if func not in _BETWEEN:
        _require_one_device(func, args, tensors, bool(second))
    goes_there = bool(second)
    if kwargs.get("device") is not None:
        goes_there = torch.device(kwargs["device"]).type == SECOND.type
        kwargs = kwargs | {"device": torch.device("cpu")}
    elif func is _aten.copy_.default:
        goes_there = isinstance(args[0], OnSecond)
    known = {id(t.inner): t for t in second}
    inner_args, inner_kwargs = tree_map_only(OnSecond, lambda t: t.inner, (args, kwargs))
    result = func(*inner_args, **inner_kwargs)
    if second and torch.Tag.inplace_view in func.tags:
        with no_dispatch():  # the wrapper, too, takes its new shape
            func(*args, **kwargs)

    def wrapped(tensor: torch.Tensor) -> torch.Tensor:
        # What is written in place comes back as the object that went in.
        if not goes_there:
            return tensor
        # A lazy conjugate is a bit of the tensor, which a wrapper does not have.
        return known[id(tensor)] if id(tensor) in known else OnSecond(tensor.resolve_conj())

    return tree_map_only(torch.Tensor, wrapped, result)


def _require_one_device(func: Any, args: Any, tensors: list[torch.Tensor], on_second: bool) -> None:
    if func in _INDEXED and isinstance(args[0], OnSecond):
        tensors = [args[0], *(t for t in args[2:] if isinstance(t, torch.Tensor))]
    on_cpu = [t for t in tensors if not isinstance(t, OnSecond) and t.dim() > 0]
    if on_second and on_cpu:
        shapes = [tuple(t.shape) for t in on_cpu]
        raise RuntimeError(f"{func}: tensors on two devices, {shapes} on the CPU")
