"""What one stage asks another for."""

from __future__ import annotations

from dataclasses import dataclass, field

from recdistill.config import changed_part, part_of


@dataclass(frozen=True)
class Inner:
    a: int = 1
    b: int = 2


@dataclass(frozen=True)
class Group:
    name: str = "x"
    seed: int = 0
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class Whole(Group):
    more: float = 0.5


def test_a_part_is_its_fields_and_changes_win() -> None:
    whole = Whole("y", 3, Inner(b=5), more=1.0)
    assert part_of(whole, Group) == Group("y", 3, Inner(b=5))
    assert part_of(whole, Group, seed=7).seed == 7


def test_only_what_differs_is_asked_for() -> None:
    assert changed_part(Whole(), Group) == {}
    assert changed_part(Whole(inner=Inner(b=5)), Group) == {"inner": {"b": 5}}
    assert changed_part(Whole(more=2.0), Group, ("name", "seed")) == {"name": "x", "seed": 0}
