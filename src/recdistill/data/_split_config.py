"""The settings that belong to one split each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from recdistill.errors import require, require_choice

Targets = Literal["first", "last", "all"]


@dataclass(frozen=True)
class Temporal:
    """The two cuts of the global temporal split, as shares of all interactions.

    ``targets`` says which of a user's interactions in a window are predicted: the first, the last,
    or all, each from everything before it.
    """

    val_share: float = 0.1
    test_share: float = 0.1
    targets: Targets = "first"

    def __post_init__(self) -> None:
        require_choice("temporal.targets", self.targets, Targets)
        _require_shares("temporal", self.val_share, self.test_share)


@dataclass(frozen=True)
class Rolling:
    """The windows of the split ``rolling``: train until yesterday, test today.

    Attributes
    ----------
    days : length of the test window, the last whole days of the data, and of the one before it,
        which validates.
    val_users : share of the users who validate: their part of the window before the last is held
        out of training, everybody else's trains. 1 holds out the whole window, and models then
        know nothing of the newest one.
    targets : of a user in a window, as in ``Temporal``.
    """

    days: int = 7
    val_users: float = 0.2
    targets: Targets = "first"

    def __post_init__(self) -> None:
        require(self.days >= 1, f"rolling.days is {self.days}; use 1 or more.")
        require(
            0 < self.val_users <= 1,
            f"rolling.val_users is {self.val_users}; it is a share of the users, above 0 up to 1.",
        )
        require_choice("rolling.targets", self.targets, Targets)


@dataclass(frozen=True)
class ColdItems:
    """Shares of the catalog's items that the split ``cold_items`` holds out whole."""

    val_share: float = 0.125
    test_share: float = 0.125

    def __post_init__(self) -> None:
        _require_shares("cold_items", self.val_share, self.test_share)


def _require_shares(group: str, val: float, test: float) -> None:
    for name, share in (("val_share", val), ("test_share", test)):
        require(0 < share < 1, f"{group}.{name} is {share}; it must lie between 0 and 1.")
    require(
        val + test < 1,
        f"{group}.val_share + {group}.test_share is {val + test:g}; it must stay below 1 so that "
        "something is left to train on.",
    )
