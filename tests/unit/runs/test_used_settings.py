"""What a run's parameters are: the settings that mean something for what was chosen."""

from __future__ import annotations

from dataclasses import fields

import pytest

from projects.train_baseline import Config
from recdistill.errors import UserError
from recdistill.floors import COUNTING_FLOORS, FLOOR_KINDS
from recdistill.runs._used_settings import used_settings


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_a_floor_has_its_own_settings_and_its_datas(kind: str) -> None:
    used = used_settings(Config(model=kind))
    assert len(used) <= 30
    assert {"model", "dataset", "seed"} <= set(used)
    own = (
        {f"{kind}.{f.name}" for f in fields(getattr(Config(), kind))}
        if kind != "popularity"
        else set()
    )
    assert {name for name in used if "." in name and "cleaning" not in name} == own


def test_a_students_settings_are_all_but_the_floors() -> None:
    used = used_settings(Config(model="gru4rec"))
    assert {"optimizer.lr", "student.dim", "loss_options.label_smoothing", "text_run"} <= set(used)
    assert not {name.partition(".")[0] for name in used} & set(FLOOR_KINDS)


def test_settings_without_a_choice_are_all_used() -> None:
    assert used_settings(Config().optimizer)["lr"] == Config().optimizer.lr


def test_models_are_named_one_by_one_or_together() -> None:
    assert Config(model="floors").models() == COUNTING_FLOORS
    assert Config(model="ease, counter,ease").models() == ("ease", "counter")
    assert Config(model="tfidf,floors").models() == ("tfidf", *COUNTING_FLOORS)


@pytest.mark.parametrize("words", ["", "sasrc", "counter,sasrc", ","])
def test_an_unknown_model_is_one_sentence(words: str) -> None:
    with pytest.raises(UserError, match="is no model: take some of sasrec"):
        Config(model=words)
