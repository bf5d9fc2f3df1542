"""The words that ranks leave for each other, over TCP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from torch import distributed

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

_kinds: Any = distributed  # it names its stores in no way that a type checker follows


class Store(Protocol):
    """The part of torch's stores that is used here."""

    def set(self, key: str, value: str) -> None:
        """Leave a word under a key."""
        ...

    def get(self, key: str) -> bytes:
        """Return the word, once it is there."""
        ...

    def check(self, keys: Sequence[str]) -> bool:
        """Whether all of these are there."""
        ...

    def wait(self, keys: Sequence[str], timeout: timedelta) -> None:
        """Wait until all of these are there."""
        ...


def lead_store(address: str, port: int, listener: socket.socket | None, seconds: float) -> Store:
    """Keep a store that others connect to.

    Given a listening socket it stays on that socket's address; by itself it takes every address.
    """
    given = {} if listener is None else {"master_listen_fd": listener.detach()}
    return _tcp(address, port, seconds, is_master=True, **given)


def joined_store(address: str, port: int, seconds: float) -> Store:
    """Connect to a store, waiting for it if need be."""
    return _tcp(address, port, seconds, is_master=False)


def prefixed(prefix: str, store: Store) -> Store:
    """Return a part of a store that others use too."""
    part: Store = _kinds.PrefixStore(prefix, store)
    return part


def _tcp(address: str, port: int, seconds: float, **options: Any) -> Store:
    store: Store = _kinds.TCPStore(
        address, port, wait_for_workers=False, timeout=timedelta(seconds=seconds), **options
    )
    return store
