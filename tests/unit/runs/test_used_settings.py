"""What a run's parameters are: the settings that mean something for what was chosen."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from projects import distill, train_teacher
from projects.train_baseline import Config
from recdistill.errors import UserError
from recdistill.floors import COUNTING_FLOORS, FLOOR_KINDS
from recdistill.runs._used_settings import used_settings
from recdistill.students import Architecture


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
    assert {"optimizer.lr", "student.dim", "loss_options.label_smoothing"} <= set(used)
    assert not {name.partition(".")[0] for name in used} & set(FLOOR_KINDS)


def test_whose_vectors_items_have_means_something_for_items_with_texts_alone() -> None:
    texts = Architecture(item="id+text")
    assert "text_run" in used_settings(Config(student=texts))
    assert "text_run" not in used_settings(Config())
    assert "text_run" not in used_settings(Config(model="counter", student=texts))


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


def used_by_distill(**settings: object) -> set[str]:
    return set(used_settings(distill.Config(**settings)))  # type: ignore[arg-type]


def test_a_term_that_is_off_has_no_settings() -> None:
    used = used_by_distill()
    assert {"listwise_weight", "temperature", "tail", "top_k", "annealing.shape"} <= used
    assert not {"n_negatives", "ranking.beta", "dros.beta", "fusion.components", "budget"} & used
    used = used_by_distill(listwise_weight=0.0, ranking_weight=0.5, dros_weight=0.1)
    assert {"n_negatives", "ranking.beta", "dros.beta"} <= used
    assert not {"temperature", "tail"} & used
    own = used_by_distill(terms={"order:Order": 0.5})
    assert {"temperature", "n_negatives", "dros.beta"} <= own  # which it may read


def test_a_transfer_set_and_a_table_have_settings_of_their_own() -> None:
    assert "effort" not in used_by_distill(teacher_run="ease-table")
    used = used_by_distill(transfer_run="latest")
    assert "effort" in used
    assert not {"selection", "fusion_weight", "teacher_run"} & used
    told_nothing = used_by_distill(transfer_run="latest", control="no_lists")
    assert not {"listwise_weight", "terms", "temperature", "annealing.shape"} & told_nothing
    assert "budget" in used_by_distill(selection="random")


@pytest.mark.parametrize(
    ("settings", "absent", "present"),
    [
        ({}, {"generate.n_steps"}, {"n_experts", "optimizer.router_lr", "llm"}),
        ({"mode": "generate"}, set(), {"generate.n_steps"}),
        ({"adapter": "lora"}, {"n_experts", "lora.router"}, {"lora_r", "lora.alpha"}),
        ({"adapter": "none"}, {"lora_r", "lora.alpha"}, {"llm", "train_backbone"}),
        ({"adapter": "head"}, {"llm", "weights", "lora_r"}, {"head.dim", "optimizer.head_lr"}),
    ],
)
def test_a_teachers_settings_are_those_of_its_adapter(
    settings: dict[str, Any], absent: set[str], present: set[str]
) -> None:
    used = set(used_settings(train_teacher.Config(**settings)))
    assert not absent & used
    assert present <= used
