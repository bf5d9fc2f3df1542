import numpy as np
import pytest

from recdistill.errors import UserError
from recdistill.evaluation import boil_down, by_item, outcome
from recdistill.reporting import load_groups, select_runs

from .small_runs import per_user


def groups_of(store, selection):
    return load_groups(select_runs(store.client, selection, floors=False))


def test_runs_that_differ_only_in_their_seed_are_one_group(store):
    for seed in (0, 1, 2):
        store.write("sasrec", seed=seed)
    store.write("sasrec", seed=0, params={"lr": "0.1"})
    groups = groups_of(store, "tags.dataset = 'tiny'")
    assert sorted(len(g.runs) for g in groups) == [1, 3]
    assert {g.label for g in groups} == {"sasrec (lr=0.1)", "sasrec (lr=0.001)"}
    of_three = max(groups, key=lambda g: len(g.runs))
    assert of_three.seeds == ["0", "1", "2"]
    assert of_three.trainings("recall").n_seeds == 3
    assert of_three.trainings("recall").n_users == of_three.n_cases


def test_a_seed_run_twice_does_not_count_twice(store):
    for seed in (0, 1, 0):
        store.write("sasrec", seed=seed)
    groups = groups_of(store, "tags.dataset = 'tiny'")
    assert sorted(len(g.runs) for g in groups) == [1, 2]
    assert len({g.label for g in groups}) == 2


@pytest.mark.parametrize("key", ["protocol", "cases_digest", "catalog_digest"])
def test_tables_of_other_cases_or_protocols_are_refused_naming_both_runs(store, key):
    store.write("sasrec", name="one")
    store.write("gru4rec", name="two", table=per_user(1.0, 5, **{key: "another"}))
    with pytest.raises(UserError, match=r"'two' .* and 'one' .* cannot be compared"):
        groups_of(store, "one,two")


def test_a_table_that_was_reordered_is_refused_naming_the_column(store):
    table = per_user(1.0, 5)
    store.write("sasrec", name="one")
    store.write("gru4rec", name="two", table=table.assign(target=table["target"].to_numpy()[::-1]))
    with pytest.raises(UserError, match="targets that differ although their digests agree"):
        groups_of(store, "one,two")


def test_outcomes_of_a_group_are_those_of_its_tables(store):
    tables = [per_user(2.0, seed).assign(n_tied=ties) for seed, ties in ((1, 0), (2, 3), (3, 0))]
    for seed, table in enumerate(tables):
        store.write("sasrec", seed=seed, table=table)
    found = groups_of(store, "tags.dataset = 'tiny'")[0].outcomes
    targets = tables[0]["target"].to_numpy()
    for metric in ("recall", "ndcg", "mrr"):
        values = [outcome(table, metric, 10) for table in tables]
        assert found.over_users[metric].user_means == pytest.approx(np.mean(values, 0))
    items = boil_down(by_item(outcome(table, "ndcg", 10), targets) for table in tables[::-1])
    assert found.over_items["ndcg"].user_means == pytest.approx(items.user_means)
    assert found.over_items["ndcg"].interaction == pytest.approx(items.interaction)
    for k in (1, 7, 50):
        of_all = [outcome(table, "recall", k).mean() for table in tables]
        assert found.recall_at[k - 1] == pytest.approx(np.mean(of_all))
    assert not found.certain


def test_a_report_holds_no_table_of_a_model(store):
    """A million users, eight seeds and twenty models would be 160 tables of some 50 MB each."""
    for seed in range(3):
        store.write("sasrec", seed=seed)
    group = groups_of(store, "tags.dataset = 'tiny'")[0]
    assert {"user", "target", "history_length", "target_popularity"} <= set(group.cases)
    assert not [name for name in group.cases if name.startswith("n_")]


def test_a_table_that_does_not_say_what_it_is_of_is_refused_by_its_run(store):
    store.write("sasrec", name="one")
    store.write("gru4rec", name="two", table=per_user(1.0, 5, cases_digest=""))
    with pytest.raises(UserError, match=r"'two' .* does not say which test cases it is of"):
        groups_of(store, "one,two")


def test_a_table_without_ranks_is_refused_by_its_run(store):
    table = per_user(1.0, 5)
    run = store.write("sasrec", name="one", table=table)
    store.write("gru4rec", name="two")
    path = store.folder / "per_user.parquet"
    table.drop(columns="n_tied").to_parquet(path)
    store.client.log_artifact(run, str(path), "evaluation")
    with pytest.raises(UserError, match=r"per-user table of run 'one' .* cannot be read"):
        groups_of(store, "one,two")
