"""A brake on guessing passwords: whoever is wrong too often waits, longer each time."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Brake:
    """Pauses for a user name at an address after wrong passwords.

    Addresses that one machine can choose among freely are one: all of 127.0.0.0/8, and the /64 of
    an IPv6 address.

    The first ``free`` mistakes cost nothing. Each one after them closes the pair of name and
    address for twice as long as the one before: 1, 2, 4, ... seconds, at most ``longest``. A right
    password, or ``forget`` seconds without a mistake, starts afresh.

    Memory is bounded: of more than ``entries`` pairs the ones with the fewest mistakes go, so that
    a flood of invented names does not make a guesser's own pair forgotten; names are kept as
    digests, because their length is the guesser's choice.
    """

    def __init__(
        self,
        free: int = 5,
        longest: float = 300,
        forget: float = 3600,
        entries: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free, self._longest, self._forget = free, longest, forget
        self._entries, self._clock = entries, clock
        self._mistakes: dict[bytes, tuple[int, float]] = {}  # how many, when the last one was

    def __len__(self) -> int:
        return len(self._mistakes)

    def wait(self, name: str, address: str) -> float:
        """Seconds until this pair may try again; 0 is now."""
        n, last = self._mistakes.get(_key(name, address), (0, 0.0))
        if n <= self._free:
            return 0.0
        # The exponent is bounded too: 2 ** 5000 is no float.
        pause = min(self._longest, 2.0 ** min(n - self._free - 1, 60))
        return max(0.0, last + pause - self._clock())

    def wrong(self, name: str, address: str) -> None:
        """Note a wrong password."""
        key, now = _key(name, address), self._clock()
        n, last = self._mistakes.pop(key, (0, now))
        if key not in self._mistakes and len(self._mistakes) >= self._entries:
            del self._mistakes[min(self._mistakes, key=lambda k: self._mistakes[k])]
        self._mistakes[key] = (n + 1 if now - last < self._forget else 1, now)

    def right(self, name: str, address: str) -> None:
        """Note a right password."""
        self._mistakes.pop(_key(name, address), None)


def _place(address: str) -> str:
    """Return what stands for an address: whoever sends from it could as well from the others."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is None:
            return "here" if known.is_loopback else str(ipaddress.ip_network((known, 64), False))
        known = known.ipv4_mapped
    return "here" if known.is_loopback else str(known)


def _key(name: str, address: str) -> bytes:
    return hashlib.blake2b(f"{_place(address)}\0{name}".encode(), digest_size=16).digest()
