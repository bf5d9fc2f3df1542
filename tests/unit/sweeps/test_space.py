"""What a space accepts, asks for, and says when it is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recdistill.config import stage_module
from recdistill.errors import UserError
from recdistill.sweeps._read_space import build_space, read_space
from recdistill.sweeps._settings import setting_types

if TYPE_CHECKING:
    from recdistill.sweeps._space import Space

TYPES: dict[str, Any] = {
    "weight": float,
    "n_negatives": int,
    "kind": str,
    "budget": float,
    "lr": float,
}
KNOBS: dict[str, Any] = {
    "weight": {"range": [0.1, 10], "log": True, "zero": True},
    "n_negatives": {"range": [2, 64], "log": True, "when": "weight"},
    "kind": {"choices": ["all", "few"]},
    "budget": {"range": [0.2, 0.8], "when": {"kind": ["few"]}},
}


def space(**changes: Any) -> Space:
    return build_space({"knobs": {**KNOBS, **changes}}, TYPES, "distill")


def draw(built: Space, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    return built.suggest(trial), trial.params


@given(st.integers(0, 10_000))
def test_a_knob_is_asked_for_where_it_matters_and_only_there(seed: int) -> None:
    settings, params = draw(space(), seed)
    assert ("n_negatives" in settings) == (settings["weight"] > 0)
    assert ("budget" in settings) == (settings["kind"] == "few")
    assert settings["weight"] == 0 or 0.1 <= settings["weight"] <= 10
    assert isinstance(settings.get("n_negatives", 2), int)
    assert space().values(params) == settings


@given(st.integers(0, 10_000))
def test_a_point_told_to_the_sampler_comes_back_as_it_is(seed: int) -> None:
    built = space()
    point, _ = draw(built, seed)
    study = optuna.create_study()
    study.enqueue_trial(built.parameters(point, {}))
    assert built.suggest(study.ask()) == point


def test_a_point_keeps_the_stage_s_own_value_where_it_names_none() -> None:
    own = {"weight": 1.0, "n_negatives": 8, "kind": "all", "budget": 0.5}
    assert space().parameters({"weight": 0.0}, own) == {"weight.on": False, "kind": "all"}


@pytest.mark.parametrize(
    ("knobs", "sentence"),
    [
        ({"wieght": {"range": [0, 1]}}, "did you mean 'weight'?"),
        ({"weight": {"range": [0, 1], "log": True}}, "start above 0"),
        ({"weight": {"range": [2, 1]}}, "must rise"),
        ({"weight": {"range": [1]}}, "two numbers"),
        ({"weight": {"between": [1, 2]}}, "needs either range"),
        ({"weight": {"range": [1, 2], "step": 1}}, "has 'step'"),
        ({"kind": {"range": [1, 2]}}, "is no number"),
        ({"kind": {"choices": []}}, "at least one value"),
        ({"n_negatives": KNOBS["n_negatives"], "weight": KNOBS["weight"]}, "a knob above it"),
        ({}, "no knobs"),
    ],
)
def test_a_wrong_space_is_refused_in_one_sentence(knobs: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        build_space({"knobs": knobs}, TYPES, "distill")


@pytest.mark.parametrize(
    ("knob", "fixed"),
    [
        ({"student.query_time": {"choices": ["none", "known"]}}, {}),
        ({}, {"student.query_time": "known"}),
    ],
)
def test_trials_that_are_told_of_their_targets_are_refused_beside_a_baseline(
    knob: dict[str, Any], fixed: dict[str, Any]
) -> None:
    types = setting_types(stage_module("train_baseline").Config)
    knobs = {"student.dropout": {"range": [0.1, 0.5]}}
    with pytest.raises(UserError, match="query_time=known"):
        build_space({"knobs": knobs | knob, "fixed": fixed}, types, "train_baseline")
    last = {"student.query_time": {"choices": ["none", "last"]}}
    assert len(build_space({"knobs": knobs | last}, types, "train_baseline").knobs) == 2


def test_a_point_outside_is_refused() -> None:
    with pytest.raises(UserError, match="weight=99, outside of"):
        space().parameters({"weight": 99}, {"kind": "all"})


def test_a_space_is_read_from_a_name_a_file_or_text(tmp_path: Path) -> None:
    assert "listwise_weight" in read_space("", "distill")["knobs"]
    assert read_space("quick", "distill")["fixed"] == {"max_epochs": 2}
    assert read_space("{lr: {range: [1, 2]}}", "distill") == {"knobs": {"lr": {"range": [1, 2]}}}
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"knobs": KNOBS}))
    assert read_space(str(file), "distill") == {"knobs": KNOBS}
    with pytest.raises(UserError, match="no search space 'nowhere'"):
        read_space("nowhere", "distill")


@pytest.mark.parametrize("name", [path.stem for path in Path("conf/spaces").glob("*.yaml")])
def test_the_shipped_spaces_fit_their_stage_and_hold_their_control(name: str) -> None:
    stage = name if name == "train_baseline" else "distill"
    built = build_space(read_space(name, stage), setting_types(stage_module(stage).Config), stage)
    assert next(iter(built.points)) in ("no distillation", "as it is")
