"""Which run a stage stands on when nobody names one."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from recdistill.errors import UserError
from recdistill.runs import FinishedRuns, open_run
from recdistill.training import find_baseline

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATA: Any = SimpleNamespace(catalog=SimpleNamespace(digest="c1"), split_digest="s1")


@dataclass(frozen=True)
class Settings:
    seed: int = 0


def train(model: str, **tags: str) -> str:
    with open_run("train_baseline", Settings()) as run:
        run.set_tags({"model": model, "catalog.digest": "c1", "split.digest": "s1"} | tags)
        return run.id


@pytest.mark.parametrize("query_time", ["last", "known"])
def test_a_baseline_that_reads_times_is_refused_in_a_sentence(
    store: MlflowClient, query_time: str
) -> None:
    finder = FinishedRuns(store)
    blind = train("hstu", query_time="none")
    timed = train("hstu", query_time=query_time)
    for named in (timed, "latest"):
        with pytest.raises(UserError, match=f"query_time={query_time} and cannot be a baseline"):
            find_baseline(named, finder, DATA)
    assert find_baseline(blind, finder, DATA).id == blind


def test_the_newest_baseline_is_a_student_though_floors_came_later(store: MlflowClient) -> None:
    finder = FinishedRuns(store)
    floor = train("counter")
    with pytest.raises(UserError, match="no finished run of train_baseline"):
        find_baseline("latest", finder, DATA)
    student = train("gru4rec")
    train("popularity")
    assert find_baseline("latest", finder, DATA).id == student
    assert find_baseline(floor, finder, DATA).id == floor
