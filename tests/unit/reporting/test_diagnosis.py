"""The diagnosis says what the numbers say, and names three things to try."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recdistill.evaluation import compare_paired
from recdistill.reporting import Rung, diagnose, render_diagnosis

TABLE = {
    "n_covered": 1000,
    "coverage": 1.0,
    "hit_rate": 0.2,
    "hit_rate_shuffled": 0.05,
    "claimed": 0.2,
    "calibration_error": 0.01,
    "agreement": None,
    "popularity": 0.9,
    "popularity_of_targets": 0.8,
    "repeated_items": 0.0,
    "stale": 0.0,
    "most_common_list": 0.01,
}


def users(n_hits, n=400):
    frame = pd.DataFrame({"user": np.arange(n), "target": 1, "n_tied": 0})
    frame["n_above"] = np.where(np.arange(n) < n_hits, 0, 500)
    frame.attrs = {"protocol": "p", "catalog_digest": "c", "cases_digest": "d"}
    return frame


def paired(n_hits, other):
    pair = [users(n_hits)], [users(other)]
    return {metric: compare_paired(*pair, metric=metric) for metric in ("recall", "ndcg")}


def diagnosis(student=60, baseline=60, teacher=90, **changed):
    parts = {"student": users(student), "baseline": users(baseline), "teacher": users(teacher)}
    names = {part: part[0] for part in parts}
    return replace(diagnose(names, parts, TABLE, [], asked_many_views=False), **changed)


def test_the_shares_of_users_hit_by_one_or_both_add_up():
    found = diagnosis(baseline=60, teacher=90)
    assert (found.only_teacher, found.only_baseline, found.both) == (30 / 400, 0.0, 60 / 400)
    found = diagnosis(baseline=100, teacher=90)
    assert (found.only_teacher, found.only_baseline, found.both) == (0.0, 10 / 400, 90 / 400)


def test_its_metrics_are_the_gap_what_is_known_of_the_table_and_the_rungs():
    rung = Rung("zero", "nothing", "baseline", paired(60, 50)["ndcg"])
    found = diagnosis(student=70, rungs=[rung]).metrics()
    assert found["delta/recall_at_10_student_vs_baseline"] == pytest.approx(10 / 400)
    assert found["p_users/recall_at_10_student_vs_baseline"] < 0.05
    assert found["ladder/ndcg_at_10_zero"] == pytest.approx(10 / 400)
    assert "table/agreement" not in found
    assert found["table/hit_rate"] == TABLE["hit_rate"]


def test_three_hits_less_is_no_finding():
    words = diagnosis(student=57, baseline=60).verdict()
    assert words[0].startswith("Nothing is shown yet")
    assert "users to be seen four times in five" in words[0]


@pytest.mark.parametrize(("student", "word"), [(20, "worse"), (120, "better")])
def test_a_sure_gap_is_called_by_its_name(student, word):
    said = diagnosis(student=student).verdict()[0]
    assert f"This trained student is {word} than this trained baseline" in said
    assert "compare says with more seeds" in said


def test_a_misaligned_table_comes_first_among_the_next_steps():
    broken = diagnosis(table=TABLE | {"hit_rate": 0.05})
    assert any("misaligned" in words for words in broken.verdict())
    assert "Export the teacher table again" in broken.next_steps()[0]


def test_a_weak_teacher_is_to_be_replaced():
    assert "Find a teacher that beats the baseline" in diagnosis(teacher=50).next_steps()[0]


def test_a_memorised_table_is_to_be_cross_fitted():
    steps = diagnosis(table=TABLE | {"hit_rate": 0.9}).next_steps()
    assert any("folds=5" in step for step in steps)


def test_harmful_rungs_are_named_and_harmless_ones_are_not():
    harm = compare_paired([users(20)], [users(60)], metric="ndcg")
    none = compare_paired([users(60)], [users(60)], metric="ndcg")
    found = diagnosis(
        rungs=[
            Rung("zero", "nothing", "baseline", none),
            Rung("permuted_lists", "rows of others", "listwise", harm),
        ]
    )
    words = found.verdict()
    assert sum("does harm" in w for w in words) == 1
    assert not any("not the baseline" in w for w in words)
    differs = diagnosis(rungs=[Rung("zero", "nothing", "baseline", harm)]).verdict()
    assert any("not the baseline" in w for w in differs)


def test_there_are_always_three_steps_and_a_page():
    found = diagnosis(rungs=[Rung("x<y", "&", "baseline", paired(60, 60)["ndcg"])])
    assert len(found.next_steps()) == 3
    page = render_diagnosis(found, made_by="r1")
    assert "x&lt;y" in page
    assert "nan" not in page.lower().replace("financ", "")
    for step in found.next_steps():
        assert step.split(":")[0][:40].replace("'", "&#39;") in page
