from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from recdistill.serving._served_model import ServedModel

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def served(folder: Path) -> ServedModel:
    model = ServedModel()
    model.load_context(SimpleNamespace(artifacts={"student": str(folder)}))
    return model


def ask(served: ServedModel, *histories: Any, **params: Any) -> list[dict[str, Any]]:
    return served.predict(None, pd.DataFrame({"history": list(histories)}), params)


def test_answers_carry_ids_titles_and_scores_best_first(served: ServedModel) -> None:
    one, two = ask(served, ["1", "Fargo"], ["Casino"], k=4)
    assert [len(values) for values in one.values()] == [4, 4, 4]
    assert one["scores"] == sorted(one["scores"], reverse=True)
    assert not {"1", "8"} & set(one["items"])
    assert "6" not in two["items"]
    asked = served.top_k.names.resolve(one["items"], "items")
    assert one["titles"] == served.top_k.names.titles[asked].tolist()


def test_ids_and_titles_are_the_same_history(served: ServedModel) -> None:
    by_id, by_title = ask(served, ["1", "8"], ["Toy Story", "fargo (1996)"])
    assert by_id == by_title


def test_excluded_items_never_come_and_a_kept_history_may(served: ServedModel) -> None:
    everything = ask(served, ["1"], k=60, keep_history=True)[0]
    assert len(set(everything["items"])) == 60
    rest = ask(served, ["1"], k=57, exclude=["Fargo", "6"])[0]
    assert set(everything["items"]) - set(rest["items"]) == {"1", "6", "8"}


@pytest.mark.parametrize(
    ("histories", "params", "complaint"),
    [
        ([["1"], ["nonsense", "2"]], {}, "history of row 1: 'nonsense' is neither"),
        ([["1"], []], {}, "history of row 1 is empty"),
        (["1"], {}, "history of row 0 is '1'; it must be a list"),
        ([None], {}, "history of row 0 is None"),
        ([], {}, "holds no history"),
        (
            [[str(item) for item in range(1, 61)]],
            {"k": 1},
            "Nothing is left to recommend: the catalog has 60 items",
        ),
        ([["1"]], {"k": 60}, "k is 60; it must be between 1 and 59"),
        ([["1"]], {"k": 59, "exclude": ["2"]}, "k is 59; it must be between 1 and 58"),
        ([["1"]], {"k": 0}, "k is 0"),
        ([["1"]], {"exclude": ["nowhere"]}, "exclude: 'nowhere' is neither"),
    ],
)
def test_a_wrong_request_is_a_400_with_one_sentence(
    served: ServedModel, histories: list[Any], params: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(MlflowException, match=complaint) as refused:
        ask(served, *histories, **params)
    assert refused.value.get_http_status_code() == 400


def test_repeats_in_a_history_leave_more_to_recommend(served: ServedModel) -> None:
    assert len(ask(served, ["1"] * 30, k=59)[0]["items"]) == 59


@pytest.mark.slow
def test_serving_imports_no_training_library() -> None:
    program = (
        "import sys, recdistill.serving._served_model as m\n"
        "heavy = {'pytorch_lightning', 'transformers', 'peft', 'optuna'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "own = [n for n in sys.modules if n.startswith('recdistill.')]\n"
        "rooms = {n.split('.')[1] for n in own}\n"
        "assert rooms == {'_lazy', 'serving', 'students', 'errors', 'checksums'}, own\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
