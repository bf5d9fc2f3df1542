"""A ledger of tensor storage: who allocated how many bytes, when, and until when."""

from __future__ import annotations

import re
import weakref
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks?)\.(\d+)(?:\.|$)")
_LAYER_ITSELF = re.compile(r"(?:^|\.)(?:layers|h|blocks?)\.\d+$")
# First match wins, so what lies inside an adapter or a norm is never taken for its surroundings.
_TERMS = (
    ("adapters", re.compile(r"lora_|router|gate_weights")),
    ("norms", re.compile(r"norm|(^|\.)ln_")),
    ("attention", re.compile(r"attn|attention|rotary")),
    ("mlp", re.compile(r"mlp|fc1|fc2|activation|(^|\.)act")),
    ("embeddings", re.compile(r"embed|(^|\.)w[tp]e|projector")),
    ("scores", re.compile(r"head|score")),
)


@dataclass
class Entry:
    """One storage: its size, who made it, and during which phase."""

    n_bytes: int
    cause: str
    phase: str
    layer: int | None = None


@dataclass(frozen=True)
class Moment:
    """The highest moment of one stretch of the step."""

    n_bytes: int
    causes: dict[str, int]


class Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follow every storage that tensor operations create, until it is freed.

    Works on real tensors and on ``meta`` tensors alike, because a storage without data still has a
    size and a lifetime. What a kernel allocates and frees inside itself stays unseen.

    Every event carries the stretch of the step it happened in, such as ``forward/first`` (the
    first two layers), ``forward/after`` (behind the decoder) or ``backward/last``.

    Parameters
    ----------
    model
        Whose modules give the new storages their cause.
    block
        Sizes are rounded up to multiples of this, as the device's allocator does.
    """

    def __init__(self, model: nn.Module, block: int = 1) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.block = block
        self.phase = "resident"
        self.region = ""
        self.events: list[tuple[int, Entry, str]] = []  # (+1 or -1, entry, stretch)
        self._names = {id(module): name for name, module in model.named_modules()}
        indices = [_layer(name) for name in self._names.values()]
        self._depth = 1 + max((i for i in indices if i is not None), default=-1)
        self._open: list[tuple[str, int | None]] = []
        self._seen: dict[int, tuple[weakref.ref[Any], Entry]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        cause, layer = self._owner()
        for value in tree_iter(result):
            if isinstance(value, torch.Tensor):
                self.record(value, cause, layer)
        return result

    def enter_phase(self, phase: str) -> None:
        """Begin ``forward``, ``backward`` or ``optimizer``."""
        self.phase = phase
        self.region = {"forward": "before", "backward": "after"}.get(phase, "all")

    def record(self, tensor: torch.Tensor, cause: str, layer: int | None = None) -> Entry:
        """Enter the storage of a tensor, unless it is known; return its entry."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        known = self._seen.get(key)
        if known is not None:
            return known[1]
        size = -(-storage.nbytes() // self.block) * self.block
        entry = Entry(size, cause, self.phase, layer)

        def freed(_: Any) -> None:
            self._seen.pop(key, None)
            self._log(-1, entry)

        self._seen[key] = (weakref.ref(storage, freed), entry)
        self._log(1, entry)
        return entry

    def reserve(self, n_bytes: int, cause: str) -> None:
        """Enter bytes that no tensor shows and that stay until the end."""
        self._log(1, Entry(n_bytes, cause, self.phase))

    def relabel(self, tensors: Iterable[torch.Tensor], cause: str) -> None:
        """Name the cause of storages whose purpose shows only after they were made."""
        for tensor in tensors:
            self.record(tensor, cause).cause = cause

    @contextmanager
    def following_modules(self) -> Iterator[None]:
        """Attribute new storages to the module that is running, and notice layers go by."""

        def enter(module: nn.Module, args: Any) -> None:
            name = self._names.get(id(module), "")
            self._open.append((_term(name, module), _layer(name)))
            if _LAYER_ITSELF.search(name):
                index = _layer(name)
                self._pass(index)
                if index == 0 and args and args[0].requires_grad:
                    args[0].register_hook(lambda _: self._pass(None, "before"))

        def leave(module: nn.Module, _: Any, output: Any) -> None:
            name = self._names.get(id(module), "")
            self._open.pop()
            if output is not None and self.phase == "forward" and _LAYER_ITSELF.search(name):
                index = _layer(name)
                first = output[0] if isinstance(output, tuple) else output
                if first.requires_grad:
                    first.register_hook(lambda _: self._pass(index))
                self._pass(None, "after")

        hooks = (
            nn.modules.module.register_module_forward_pre_hook(enter),
            # always_call: recomputation under checkpointing leaves modules by an exception.
            nn.modules.module.register_module_forward_hook(leave, always_call=True),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._open.clear()

    def moments(self) -> dict[str, Moment]:
        """Highest moment of each stretch of the step, what was resident before excluded."""
        live, highest = 0, dict[str, tuple[int, int]]()
        for index, (sign, entry, stretch) in enumerate(self.events):
            live += sign * entry.n_bytes
            if live > highest.get(stretch, (-1, 0))[0]:
                highest[stretch] = live, index
        highest.pop("resident/", None)
        wanted = {index: stretch for stretch, (_, index) in highest.items()}
        causes, found = defaultdict[str, int](int), dict[str, Moment]()
        for index, (sign, entry, _) in enumerate(self.events):
            causes[entry.cause] += sign * entry.n_bytes
            if index in wanted:
                stretch = wanted[index]
                parts = {cause: n for cause, n in causes.items() if n}
                found[stretch] = Moment(highest[stretch][0], parts)
        return found

    def kept_by_layer(self) -> dict[str, int]:
        """Sum up what a middle layer made in the forward and held when the backward began."""
        middle, kept = self._depth // 2, defaultdict[str, int](int)
        for sign, entry, stretch in self.events:
            if stretch.startswith("backward"):
                break
            if entry.layer == middle and entry.phase == "forward":
                kept[entry.cause] += sign * entry.n_bytes
        return {cause: n for cause, n in kept.items() if n}

    def timeline(self) -> list[tuple[str, int]]:
        """Stretch and live bytes after every event."""
        live, points = 0, []
        for sign, entry, stretch in self.events:
            live += sign * entry.n_bytes
            points.append((stretch, live))
        return points

    def _log(self, sign: int, entry: Entry) -> None:
        self.events.append((sign, entry, f"{self.phase}/{self.region}"))

    def _pass(self, index: int | None, region: str = "") -> None:
        if index is not None:
            region = "first" if index < 2 else "last" if index >= self._depth - 2 else "middle"
        self.region = region

    def _owner(self) -> tuple[str, int | None]:
        if self._open:
            return self._open[-1]
        return {"forward": "loss", "optimizer": "optimizer_step"}.get(self.phase, self.phase), None


def _term(name: str, module: nn.Module) -> str:
    if hasattr(module, "lora_A"):  # the adapted layer itself: input casts, dropout, the sum
        return "adapters"
    for term, pattern in _TERMS:
        if pattern.search(name):
            return term
    return "residual" if _layer(name) is not None else "loss"


def _layer(name: str) -> int | None:
    found = _LAYER.search(name)
    return int(found.group(1)) if found else None
