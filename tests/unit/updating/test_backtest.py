"""A backtest's parts: the clock, the states a log went through, what is said of the outcomes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import DataConfig, Rolling, prepare
from recdistill.errors import UserError
from recdistill.evaluation import evaluate
from recdistill.floors import fit_floor
from recdistill.reporting import clocks_markdown, draw_clocks
from recdistill.updating import (
    Clock,
    by_age,
    by_window,
    cases_of,
    clock_metrics,
    compare_clocks,
    later_windows,
    past_states,
)
from recdistill.updating._outcomes import AGES

from .conftest import write_shop

if TYPE_CHECKING:
    from pathlib import Path


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40))
def test_training_anew_takes_the_place_of_going_on(every: int, anew: int, n: int) -> None:
    step = Clock(f"update:{every}+full:{anew}").step(n)
    assert step == ("full" if n % anew == 0 else "update" if n % every == 0 else "keep")
    assert Clock("never").step(n) == "keep"
    assert Clock(f"distil:{every}+full").step(n) == ("distil" if n % every == 0 else "full")
    assert Clock("update").step(n) == "update"


@pytest.mark.parametrize("words", ["", "daily", "full:0", "never+update", "update+", "full:x"])
def test_a_clock_that_says_nothing_is_refused(words: str) -> None:
    with pytest.raises(UserError, match="write never, update, full"):
        Clock(words)


def test_every_state_is_the_log_as_it_was_and_grows_from_the_one_before(tmp_path: Path) -> None:
    root, path = tmp_path / "data", str(write_shop(tmp_path / "steps.csv"))
    whole = prepare(DataConfig(dataset="steps", data_path=path), root)
    states = past_states(whole, 2, Rolling(5))
    assert [one.manifest["config"]["until"] for one in states] == [
        "1970-01-19", "1970-01-24", "1970-01-29",
    ]  # fmt: skip
    for before, now in itertools.pairwise(states):
        assert now.catalog.grew_from(before.catalog.digest, before.catalog.n_items)
        assert now.manifest["parent"]["split_digest"] == before.split_digest
        until = now.manifest["config"]["until"]
        straight = prepare(
            DataConfig(
                dataset="straight", data_path=path, until=until, split="rolling", rolling=Rolling(5)
            ),
            root,
        )
        assert now.manifest["counts"] | {"n_read": 0} == straight.manifest["counts"] | {"n_read": 0}
        assert now.users.tolist() == straight.users.tolist()
        for one, other in ((now.train, straight.train), (now.test.history, straight.test.history)):
            names = [d.catalog.items["raw_id"][s.items].tolist()
                     for d, s in ((now, one), (straight, other))]  # fmt: skip
            assert names[0] == names[1]
    with pytest.raises(UserError, match="too short for 9 windows of 5 days"):
        past_states(whole, 9, Rolling(5))


def test_cases_know_how_old_their_items_and_users_are(tmp_path: Path) -> None:
    path = write_shop(tmp_path / "steps.csv")
    late = [f"late,i{item:02d},{day * 86_400 + 9}" for day, item in ((24, 3), (25, 24), (26, 5))]
    path.write_text(path.read_text() + "\n".join(late) + "\n")
    whole = prepare(DataConfig(dataset="steps", data_path=str(path)), tmp_path / "data")
    states = past_states(whole, 2, Rolling(6, 0.2, "all"))
    now = states[2]
    floor = fit_floor("popularity", now.train, now.catalog)
    ranks = evaluate(floor, now.test, now.catalog, now.train).per_user
    cases = cases_of(states, 2, ranks)
    log = pd.read_csv(path)
    first_day = log.groupby("item")["timestamp"].min() // 86_400
    names = now.catalog.items["raw_id"][ranks["target"]].to_numpy()
    for age, item in zip(cases["item_age"], names, strict=True):
        assert age == AGES[0 if first_day[item] >= 22 else 1 if first_day[item] >= 16 else 2]
    assert len(set(cases["item_age"])) > 1
    assert set(cases["user_age"][cases["user"] == "late"]) == {AGES[0]}
    assert set(cases["user_age"][cases["user"] != "late"]) == {AGES[2]}


def drawn_cases(lift: float, n_seeds: int = 1) -> pd.DataFrame:
    """Two clocks on the same 200 users in three windows; the second is better by ``lift``."""
    random = np.random.default_rng(0)
    tables = []
    for window in ("1970-01-08", "1970-01-15", "1970-01-22"):
        for seed in range(n_seeds):
            base = random.random(200) * 0.5
            for clock, more in (("never", 0.0), ("update", lift)):
                found = base + more + random.normal(0, 0.05, 200)
                tables.append(
                    pd.DataFrame(
                        {
                            "window": window, "user": [f"u{i}" for i in range(200)],
                            "item_age": AGES[2], "user_age": AGES[2], "recall": found > 0.3,
                            "ndcg": found, "clock": clock, "seed": seed,
                        }
                    )
                )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([1, 3]), st.sampled_from([0.0, 0.1]))
def test_a_difference_is_found_where_there_is_one(n_seeds: int, lift: float) -> None:
    (test,) = compare_clocks(drawn_cases(lift, n_seeds))
    assert (test.a, test.b) == ("update", "never")
    assert test.over_trainings == (n_seeds > 1)
    assert (test.p < 0.001) == (lift > 0)
    assert test.low < test.delta < test.high
    assert test.delta == pytest.approx(test.mean_a - test.mean_b)


def test_tables_and_picture_say_the_same_as_the_cases(tmp_path: Path) -> None:
    cases = drawn_cases(0.1)
    costs = pd.DataFrame(
        {
            "clock": ["never"] * 3 + ["update"] * 3, "seed": 0,
            "window": [*dict.fromkeys(cases["window"])] * 2,
            "step": ["full", "keep", "keep", "full", "update", "update"],
            "cpu_seconds": [100.0, 0, 0, 100, 4, 6],
        }
    )  # fmt: skip
    windows = by_window(cases, costs)
    assert windows["n_cases"].tolist() == [200] * 6
    own = cases[(cases["clock"] == "update") & (cases["window"] == "1970-01-22")]
    assert windows["ndcg"].iloc[-1] == pytest.approx(own["ndcg"].mean())
    figures = clock_metrics(cases, windows)
    assert figures["backtest/update/cpu_seconds"] == 10, "the first window is everybody's"
    assert figures["p/ndcg_at_10_update_vs_never"] < 0.01
    ages = by_age(later_windows(cases), "item_age")
    assert ages.loc[AGES[2], "n_cases"] == 400
    told = clocks_markdown(cases, windows)
    assert f"{figures['backtest/update/ndcg_at_10']:.4f}" in told
    assert "these trained models" in told
    draw_clocks(windows, tmp_path / "windows.png")
    assert (tmp_path / "windows.png").read_bytes().startswith(b"\x89PNG")
