"""Who is trained: unknown names are refused at once, and no two networks share a seed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.experiment import ExperimentSettings

FREE = {"with_teacher": False}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"model": "ease"}, r"model has 'ease': take some of sasrec, .*, gru4rec-text\."),
        ({"beside": ["sasrecs"]}, "beside has 'sasrecs'"),
        ({"beside": ["sasrec"]}, "beside names sasrec, which is the baseline"),
        ({"teaching": ["ease", "ease"]}, "teaching names one of ease, ease twice"),
        ({"network_settings": {"knn": {}}}, "network_settings has 'knn'"),
        (
            {"network_settings": {"gru4rec": {"student.dropout": 3}}},
            r"network_settings\.gru4rec: student\.dropout is 3\.0",
        ),
        (
            {"teaching_settings": {"sasrec-text": {"epochs": 3}}},
            r"teaching_settings\.sasrec-text: .*epochs",
        ),
        ({"model": "sasrec-text", "text_settings": {"dim": 0}}, "text_settings: dim is 0"),
        ({"pools": "each", "teaching": [], **FREE}, "nobody teaches"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        ExperimentSettings(**settings)


@given(st.integers(0, 40), st.integers(1, 30))
def test_no_network_of_a_pool_has_the_seed_of_another_or_of_a_baseline(
    seed: int, n_seeds: int
) -> None:
    asked = ExperimentSettings(
        seed=seed, n_seeds=n_seeds, teaching=["sasrec", "ease", "gru4rec"], pools="each"
    )
    drawn = [asked.network_seed(s, name) for s in asked.pool_seeds() for name in asked.networks()]
    assert len(set(drawn) | set(asked.seeds())) == 3 * n_seeds


def test_a_network_is_told_its_own_settings_and_where_it_teaches_others_on_top() -> None:
    asked = ExperimentSettings(
        dataset="amazon-beauty",
        network_settings={"sasrec-text": {"student.dropout": 0.4, "max_epochs": 9}},
        teaching_settings={"sasrec-text": {"max_epochs": 4}},
    )
    told = asked.network("sasrec-text", 7, "1f0c")
    assert told == {
        "dataset": "amazon-beauty", "preset": "quick", "model": "sasrec", "seed": 7,
        "student.item": "id+text", "text_run": "1f0c", "student.dropout": 0.4, "max_epochs": 9,
    }  # fmt: skip
    assert asked.network("sasrec-text", 7, "1f0c", teaches=True) == told | {"max_epochs": 4}


def test_texts_are_read_only_where_a_network_has_them() -> None:
    assert not ExperimentSettings().reads_texts()
    assert ExperimentSettings(model="sasrec-text").reads_texts()
    assert ExperimentSettings(beside=["gru4rec-text"]).reads_texts()
    taught = ExperimentSettings(teaching=["sasrec-text"])
    assert taught.reads_texts()
    assert not ExperimentSettings(teaching=["sasrec-text"], with_students=False).reads_texts()
