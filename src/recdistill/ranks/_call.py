"""The call that all ranks make."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Call:
    """A function and what it is called with, but for what belongs to rank 0 alone.

    It travels as a pickle, through a pipe to the processes that rank 0 started or among those that
    one launcher started: whoever can send one is the same user's own program.

    Attributes
    ----------
    function : callable
        Of a module, so that the other process finds it by its name.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Pack it for another process."""
        return pickle.dumps((self.function, self.args, dict(self.keywords)), protocol=5)

    @staticmethod
    def from_bytes(content: bytes) -> Call:
        """Unpack what :meth:`to_bytes` packed."""
        return Call(*pickle.loads(content))  # noqa: S301 -- rank 0's own, see the class

    def make(self, **own: Any) -> Any:
        """Call the function, with what only this process knows."""
        return self.function(*self.args, **self.keywords, **own)
