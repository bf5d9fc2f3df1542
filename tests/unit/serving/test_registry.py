"""Aliases and tags of a registered model through promotions and rollbacks, and through deaths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.serving import (
    CHAMPION,
    Registry,
    Version,
    write_story,
)
from recdistill.serving._rules import CHALLENGER, PREVIOUS

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

NAME = "recdistill-shop"


@pytest.fixture
def registry(store: MlflowClient, tmp_path: Path) -> Registry:
    """A model of three versions that nobody serves yet."""
    registry = Registry(store, NAME)
    (tmp_path / "model").mkdir()
    store.create_registered_model(NAME)
    for run in ("one", "two", "three"):
        tags = {"model_run_id": run, "model_run": run, "catalog.digest": "c"}
        store.create_model_version(NAME, str(tmp_path / "model"), tags=tags)
    return registry


def holders(registry: Registry) -> dict[str, int]:
    found = {alias: registry.holder(alias) for alias in (CHAMPION, PREVIOUS, CHALLENGER)}
    return {alias: version.number for alias, version in found.items() if version}


def seat(registry: Registry, *numbers: int) -> None:
    for number in numbers:
        registry.seat(registry.version(number))


def test_who_is_seated_serves_and_who_served_is_the_previous(registry: Registry) -> None:
    assert holders(registry) == {}
    with pytest.raises(UserError, match="There is no recdistill-shop@champion yet"):
        registry.champion()
    registry.set_challenger(registry.version(1))
    assert holders(registry) == {CHALLENGER: 1}
    seat(registry, 1)
    assert holders(registry) == {CHAMPION: 1}
    seat(registry, 2)
    assert holders(registry) == {CHAMPION: 2, PREVIOUS: 1}
    seat(registry, 2)
    assert holders(registry) == {CHAMPION: 2, PREVIOUS: 1}


def test_rollback_goes_back_step_by_step_and_then_says_that_there_is_no_more(
    registry: Registry,
) -> None:
    seat(registry, 1, 2, 3)
    restored, removed = registry.roll_back("it recommended what is sold out")
    assert (restored.number, removed.number) == (2, 3)
    assert holders(registry) == {CHAMPION: 2, PREVIOUS: 1}
    third = registry.version(3)
    assert third.rolled_back.endswith("to version 2: it recommended what is sold out")
    assert "**Rolled back**" in third.description
    registry.roll_back()
    assert holders(registry) == {CHAMPION: 1}
    with pytest.raises(UserError, match="version 1, which replaced nobody"):
        registry.roll_back()
    assert holders(registry) == {CHAMPION: 1}


def test_a_version_that_was_rolled_back_may_be_seated_again(registry: Registry) -> None:
    seat(registry, 1, 2)
    registry.roll_back()
    seat(registry, 2)
    assert holders(registry) == {CHAMPION: 2, PREVIOUS: 1}
    assert not registry.version(2).rolled_back


def test_the_version_of_a_run_is_found_again_on_its_own_catalog_only(registry: Registry) -> None:
    found = registry.same({"model_run_id": "two", "catalog.digest": "c"})
    assert found
    assert found.number == 2
    assert registry.same({"model_run_id": "two", "catalog.digest": "grown"}) is None
    assert Registry(registry.client, "nobody").same({"model_run_id": "two"}) is None


class Killed(BaseException):
    """Stands for the machine going away."""


class Mortal:
    """A client of the real registry that dies before its n-th change."""

    def __init__(self, client: MlflowClient, lives: int) -> None:
        self._client, self._lives = client, lives

    def __getattr__(self, name: str) -> object:
        found = getattr(self._client, name)
        if not name.startswith(("set_", "delete_", "update_")):
            return found
        self._lives -= 1
        if self._lives < 0:
            raise Killed
        return found


@pytest.mark.parametrize("lives", range(5))
@pytest.mark.parametrize("act", ["seat", "roll_back"])
def test_killed_at_any_step_somebody_serves_and_the_same_again_ends_the_same(
    registry: Registry, act: str, lives: int
) -> None:
    seat(registry, 1, 2)
    if act == "seat":
        registry.set_challenger(registry.version(3))
    else:
        seat(registry, 3)
    before = registry.champion().number

    def go(one: Registry) -> None:
        one.seat(one.version(3)) if act == "seat" else one.roll_back()

    try:
        go(Registry(Mortal(registry.client, lives), NAME))  # type: ignore[arg-type]
        died = False
    except Killed:
        died = True
    after = {"seat": 3, "roll_back": 2}[act]
    served = registry.champion().number
    assert served in (before, after)
    # A person looks who serves before going back once more; a promotion may simply be repeated.
    if died and (act == "seat" or served == before):
        go(registry)
    elif not died:
        assert served == after
    assert registry.champion().number == after
    previous = {"seat": 2, "roll_back": 1}[act]
    assert holders(registry)[PREVIOUS] == previous
    assert CHALLENGER not in holders(registry)


def test_the_models_page_tells_its_story(registry: Registry) -> None:
    seat(registry, 1)
    won = {"challenge": "passed", "challenge.words": "Better | by far.", "test/ndcg_at_10": "0.25"}
    registry.tell(registry.version(2), won, "card")
    seat(registry, 2)
    registry.roll_back("it recommended what is sold out")
    write_story(registry)
    third, second, first = registry.client.get_registered_model(NAME).description.splitlines()[2:]
    assert third.startswith("| 3 |  | three |  | not judged |")
    assert second.startswith("| 2 |  | two | 0.2500 | passed | Better / by far. Rolled back ")
    assert second.endswith("to version 1: it recommended what is sold out. |")
    assert first.startswith("| 1 | **champion** | one |")


def test_files_that_are_gone_are_one_sentence(registry: Registry) -> None:
    with pytest.raises(UserError, match="is no student packaged by promote"):
        registry.version(1).student()
    gone = Version(NAME, 99, {}, "")
    with pytest.raises(UserError, match="cannot be had"):
        gone.student()
