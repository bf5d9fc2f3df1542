"""Where a process stands among those that train together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One process among all.

    Attributes
    ----------
    rank, size : int
        Its number among all processes, from 0, and how many they are.
    local_rank, local_size : int
        The same among those on its host; ``local_rank`` is also the number of its GPU.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int

    @property
    def node(self) -> int:
        """Number of its host, from 0."""
        return self.rank // self.local_size

    @property
    def n_nodes(self) -> int:
        """How many hosts there are."""
        return self.size // self.local_size

    def __str__(self) -> str:
        return f"rank {self.rank} of {self.size}"
