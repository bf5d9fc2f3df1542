"""Where an item stands in a history, told to attention in one of several ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.students._positions._decay import Decay
from recdistill.students._positions._oldest import FromOldest
from recdistill.students._positions._relative import RelativeBias
from recdistill.students._positions._rotary import Rotary
from recdistill.students._positions._scheme import PositionScheme

if TYPE_CHECKING:
    from recdistill.students._config import Positions


def position_scheme(kind: Positions, *, dim: int, n_heads: int, max_length: int) -> PositionScheme:
    """Return the scheme that ``kind`` names, for a student of these sizes."""
    if kind == "rotary":
        return Rotary(dim // n_heads, max_length)
    if kind == "relative":
        return RelativeBias(n_heads, max_length)
    if kind == "decay":
        return Decay(n_heads, max_length)
    if kind == "oldest":
        return FromOldest(dim, max_length)
    return PositionScheme()


__all__ = ["PositionScheme", "RelativeBias", "position_scheme"]
