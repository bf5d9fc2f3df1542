"""Studies know what they are about, storages say what is wrong with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from recdistill.errors import UserError
from recdistill.sweeps import (
    create_study,
    load_study,
    open_storage,
    require_code,
    require_no_password,
    shown,
    study_names,
)
from tests.unit.sweeps import toy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sweeps.conftest import Hill


def test_the_same_question_is_the_same_study(hill: Hill) -> None:
    again = create_study(hill.spec.name(), hill.spec, hill.storage)
    assert again.study_name == hill.study.study_name
    assert replace(hill.spec, baseline="other").name() != hill.spec.name()
    assert replace(hill.spec, pruner="median").name() == hill.spec.name()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split_digest": "x"}, "another split of the data"),
        ({"baseline": "x"}, "another baseline"),
        ({"settings": {"seed": 1}}, "other settings"),
    ],
)
def test_a_study_about_something_else_is_refused(
    hill: Hill, change: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        create_study(hill.study.study_name, replace(hill.spec, **change), hill.storage)


def test_another_machine_reads_what_it_needs_from_the_storage(hill: Hill) -> None:
    _, spec = load_study(hill.study.study_name, open_storage(hill.url))
    assert spec == hill.spec


def test_an_unknown_study_is_named_beside_those_there_are(hill: Hill) -> None:
    with pytest.raises(UserError, match=f"no study 'typo'.*{hill.study.study_name}"):
        load_study("typo", hill.storage)
    assert study_names(hill.storage) == [hill.study.study_name]


def test_a_storage_out_of_reach_is_one_sentence_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no database address"):
        open_storage("studies.db")
    url = "postgresql://me:hunter2@127.0.0.1:1/studies"
    with pytest.raises(UserError, match="cannot be opened") as said:
        open_storage(url)
    assert "hunter2" not in str(said.value)
    with pytest.raises(UserError, match="PGPASSWORD") as said:
        require_no_password(url)
    assert "hunter2" not in str(said.value)
    assert "hunter2" not in shown(url)


def test_pruning_ends_where_a_second_objective_begins() -> None:
    pruned = toy.spec(pruner="median").make_pruner()
    both = toy.spec(pruner="median", objectives=["val/ndcg_at_10", "cost"]).make_pruner()
    assert type(pruned).__name__ == "MedianPruner"
    assert type(both).__name__ == "NopPruner"


def test_trials_of_other_code_are_another_study_and_do_not_join(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path}/studies.db", heartbeat_seconds=1)
    mine, changed = toy.spec(code="one"), toy.spec(code="two")
    assert mine.name() != changed.name()
    study = create_study("hill", mine, storage)
    with pytest.raises(UserError, match="is about other code or libraries"):
        create_study("hill", changed, storage)
    require_code(study, "one")
    with pytest.raises(UserError, match="runs code one and this machine has two"):
        require_code(study, "two")
    before = create_study("before", toy.spec(), storage)
    require_code(before, "two")
