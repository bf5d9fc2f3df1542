import pytest

from recdistill.errors import UserError
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
    assert of_three.outcomes("recall", 10).shape == (3, of_three.n_cases)


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
