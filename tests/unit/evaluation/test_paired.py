import numpy as np
import pandas as pd
import pytest

from recdistill.errors import UserError
from recdistill.evaluation import compare_paired, mcnemar_exact, n_users_for_power

ATTRS = {"protocol": "p", "catalog_digest": "c", "cases_digest": "d"}


def table(hits, **attrs):
    hits = np.asarray(hits)
    n_above = np.where(hits, 0, 100)
    users = pd.DataFrame(
        {
            "user": np.arange(len(hits)),
            "target": np.arange(len(hits)) + 1,
            "n_above": n_above,
            "n_tied": 0,
            "n_above_unmasked": n_above + 100,
            "n_tied_unmasked": 0,
        }
    )
    users.attrs = ATTRS | attrs
    return users


def hits_of(n_hits, n=95):
    return np.arange(n) < n_hits


def test_one_pair_of_runs():
    test = compare_paired([table(hits_of(8))], [table(hits_of(3))])
    assert (test.n_better, test.n_worse, test.n_users) == (5, 0, 95)
    assert test.delta == pytest.approx(5 / 95)
    assert test.value_a == pytest.approx(8 / 95)
    assert test.p_mcnemar == mcnemar_exact(5, 0) == 0.0625
    assert test.p == pytest.approx(0.0625, abs=0.01)
    assert test.low < test.delta < test.high
    assert test.n_users_needed == n_users_for_power(5 / 95, 0)
    assert test.spread_a == 0


def test_swapping_the_sides_swaps_the_signs():
    rng = np.random.default_rng(0)
    a, b = table(rng.random(300) < 0.3), table(rng.random(300) < 0.2)
    there, back = compare_paired([a], [b], metric="ndcg"), compare_paired([b], [a], metric="ndcg")
    assert back.delta == -there.delta
    assert back.p == there.p
    assert (back.n_better, back.n_worse) == (there.n_worse, there.n_better)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low), abs=0.01)


def test_seeds_are_averaged_per_user_before_users_are_tested():
    a = [table(hits) for hits in ([1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0])]
    b = [table(hits) for hits in ([1, 0, 0, 1], [1, 0, 0, 0])]
    test = compare_paired(a, b)
    assert test.delta == pytest.approx((1 / 3 - 1 / 2) / 4)
    assert (test.n_better, test.n_worse) == (1, 1)
    assert test.spread_a == pytest.approx(np.std([0.5, 0.25, 0.25], ddof=1))
    assert test.spread_b == pytest.approx(np.std([0.5, 0.25], ddof=1))
    assert (test.n_seeds_a, test.n_seeds_b) == (3, 2)
    assert test.p_mcnemar is None


def test_repeating_a_run_as_if_it_were_more_seeds_adds_no_evidence():
    rng = np.random.default_rng(1)
    a, b = table(rng.random(200) < 0.3), table(rng.random(200) < 0.2)
    once, thrice = compare_paired([a], [b]), compare_paired([a] * 3, [b] * 3)
    assert (thrice.delta, thrice.p, thrice.n_better) == (once.delta, once.p, once.n_better)


def test_a_hit_that_hangs_on_a_tie_has_no_mcnemar():
    a = table(hits_of(8))
    a["n_tied"] = 20
    assert compare_paired([a], [table(hits_of(3))]).p_mcnemar is None


def test_the_unmasked_outcome_can_be_compared():
    assert compare_paired([table(hits_of(8))], [table(hits_of(3))], masked=False).delta == 0


@pytest.mark.parametrize(
    ("attrs", "said"),
    [
        ({"protocol": "other"}, "protocol differs"),
        ({"catalog_digest": "other"}, "catalog digests differ"),
        ({"cases_digest": "other"}, "digests of users, histories and targets differ"),
    ],
)
def test_runs_on_other_data_are_refused(attrs, said):
    with pytest.raises(UserError, match=said):
        compare_paired([table(hits_of(8))], [table(hits_of(3)), table(hits_of(3), **attrs)])


def test_tables_that_do_not_say_what_they_measured_are_refused():
    bare = table(hits_of(3))
    bare.attrs = {}
    with pytest.raises(UserError, match="protocol differs"):
        compare_paired([bare], [bare])


def test_an_edited_table_is_refused():
    edited = table(hits_of(3)).iloc[::-1].reset_index(drop=True)
    edited.attrs = dict(ATTRS)
    with pytest.raises(UserError, match="column 'user'"):
        compare_paired([table(hits_of(3))], [edited])


def test_no_run_at_all_is_refused():
    with pytest.raises(UserError, match="at least one run"):
        compare_paired([], [table(hits_of(3))])
