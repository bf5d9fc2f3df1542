"""Whoever guesses waits longer each time; nobody else does, and memory is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking._brake import Brake


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_few_mistakes_are_free_then_pauses_double_up_to_the_longest() -> None:
    clock = Clock()
    brake = Brake(free=3, longest=10, clock=clock)
    pauses = []
    for _ in range(9):
        brake.wrong("ada", "::1")
        pauses.append(brake.wait("ada", "::1"))
        clock.now += pauses[-1]
        assert brake.wait("ada", "::1") == 0
    assert pauses == [0, 0, 0, 1, 2, 4, 8, 10, 10]


def test_a_right_password_or_an_hour_of_peace_starts_afresh() -> None:
    clock = Clock()
    brake = Brake(free=1, clock=clock)
    for _ in range(3):
        brake.wrong("ada", "::1")
    brake.right("ada", "::1")
    brake.wrong("ada", "::1")
    assert brake.wait("ada", "::1") == 0
    brake.wrong("ada", "::1")
    clock.now += 3601
    brake.wrong("ada", "::1")
    assert brake.wait("ada", "::1") == 0


def test_another_name_and_another_address_are_not_braked() -> None:
    brake = Brake(free=0)
    brake.wrong("ada", "::1")
    assert brake.wait("ada", "::1") > 0
    assert brake.wait("bob", "::1") == 0
    assert brake.wait("ada", "::2") == 0


def test_thousands_of_mistakes_overflow_nothing() -> None:
    brake = Brake(free=0, longest=300)
    for _ in range(5000):
        brake.wrong("ada", "::1")
    assert 0 < brake.wait("ada", "::1") <= 300


@given(st.lists(st.text(max_size=5), max_size=300))
def test_a_flood_of_names_neither_fills_memory_nor_frees_the_guesser(names: list[str]) -> None:
    brake = Brake(free=2, entries=20)
    for _ in range(400):  # more than any of the invented names
        brake.wrong("target", "::1")
    for name in names:
        brake.wrong(name + "x", "::1")
    assert len(brake) <= 20
    assert brake.wait("target", "::1") > 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1", "127.9.8.7", True),  # whoever is on the machine may send from any of them
        ("127.0.0.1", "::1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("", "10.0.0.1", False),
    ],
)
def test_addresses_that_one_machine_can_choose_among_are_one(
    one: str, other: str, same: bool
) -> None:
    brake = Brake(free=0, clock=Clock())
    brake.wrong("ada", one)
    assert (brake.wait("ada", other) > 0) is same
