"""When a model goes on and when it is trained anew: a clock in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from recdistill.errors import UserError

Step = Literal["keep", "update", "full", "distil"]
_PART = re.compile(r"(update|full|distil)(?::([1-9][0-9]{0,3}))?")
_FIRST: tuple[Step, ...] = ("distil", "full", "update")


@dataclass(frozen=True)
class Clock:
    """What happens to a model before each window.

    Parameters
    ----------
    words : str
        "never"; "update" (going on), "full" (training anew) or "distil" (training anew from
        teachers of that day) for every window, "full:4" for every fourth; "update+full:4" for both,
        where training anew takes the place of going on.

    Examples
    --------
    >>> [Clock("update:2+full:3").step(i) for i in range(1, 7)]
    ['keep', 'update', 'full', 'update', 'keep', 'full']
    """

    words: str

    def __post_init__(self) -> None:
        if self.words != "never" and not all(map(_PART.fullmatch, self.words.split("+"))):
            raise UserError(
                f"clocks has {self.words!r}; write never, update, full, distil, full:4 (every "
                "fourth window), or two of them as update+full:4."
            )

    def step(self, n: int) -> Step:
        """Say what is done before the ``n``-th window after the first."""
        due = {kind for kind, every in self._parts() if n % every == 0}
        return next((kind for kind in _FIRST if kind in due), "keep")

    @property
    def slug(self) -> str:
        """The words as part of a metric's name."""
        return re.sub(r"[+:]", "-", self.words)

    def _parts(self) -> list[tuple[str, int]]:
        if self.words == "never":
            return []
        found = (_PART.fullmatch(part) for part in self.words.split("+"))
        return [(part[1], int(part[2] or 1)) for part in found if part]
