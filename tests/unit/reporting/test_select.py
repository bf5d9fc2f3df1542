import pytest

from recdistill.errors import UserError
from recdistill.evaluation import KNOWN_TIME, PROTOCOL
from recdistill.reporting import find_scored_run, load_groups, require_same_data, select_runs

from .small_runs import per_user


def test_default_takes_the_newest_settings_of_each_kind_in_all_their_seeds(store):
    store.write("sasrec", seed=0, params={"lr": "0.1"})
    newest = [store.write("sasrec", seed=s) for s in (0, 1)]
    again = store.write("sasrec", seed=1)  # the same computation repeated
    floor = store.write("counter")
    teacher = store.write("teacher", stage="train_teacher")
    store.write("sasrec", status="FAILED")
    found = {run.id for run in select_runs(store.client)}
    assert found == {newest[0], again, floor, teacher}


def test_default_stays_on_the_data_of_the_newest_run(store):
    store.write("sasrec", tags={"split.digest": "other"})
    kept = store.write("counter")
    assert [run.id for run in select_runs(store.client)] == [kept]


def test_dataset_chooses_among_data_sets(store):
    older = store.write("sasrec", tags={"dataset": "big", "split.digest": "other"})
    store.write("counter")
    assert [run.id for run in select_runs(store.client, dataset="big")] == [older]


def test_names_ids_and_filters_select(store):
    one = store.write("sasrec", name="mine", params={"loss": "gbce"})
    two = store.write("gru4rec")
    assert {r.id for r in select_runs(store.client, f"mine, {two}")} == {one, two}
    assert [r.id for r in select_runs(store.client, "params.`config.loss` = 'gbce'")] == [one]


def test_floors_of_the_same_data_come_along_unless_refused(store):
    named = store.write("sasrec", name="mine")
    floor = store.write("counter")
    store.write("ease", tags={"catalog.digest": "another"})
    assert {r.id for r in select_runs(store.client, "mine")} == {named, floor}
    assert {r.id for r in select_runs(store.client, "mine", floors=False)} == {named}


def test_stand_ins_resolve_to_the_run_they_stand_for_and_count_once(store):
    origin = store.write("sasrec", name="mine")
    stand_in = store.stand_in(origin)
    for selection in (f"{origin},{stand_in},mine", "tags.dataset = 'tiny'", ""):
        assert [r.id for r in select_runs(store.client, selection, floors=False)] == [origin]


def test_every_wrong_selection_is_one_sentence(store):
    with pytest.raises(UserError, match="no finished run with test metrics yet"):
        select_runs(store.client)
    store.write("sasrec", name="broken", status="FAILED")
    store.write("sasrec", name="fine")
    with pytest.raises(UserError, match="'broken' is FAILED"):
        find_scored_run(store.client, "broken")
    with pytest.raises(UserError, match="No run has the id or name 'nobody'"):
        select_runs(store.client, "fine,nobody")
    with pytest.raises(UserError, match="matches the filter"):
        select_runs(store.client, "tags.dataset = 'absent'")
    with pytest.raises(UserError, match="does not understand the filter"):
        select_runs(store.client, "nonsense == = 1")


@pytest.mark.parametrize("tag", ["catalog.digest", "split.digest", "protocol"])
def test_other_data_or_protocol_is_refused_naming_both_runs(store, tag):
    store.write("sasrec", name="one")
    store.write("gru4rec", name="two", tags={tag: "different"})
    runs = select_runs(store.client, "one,two", floors=False)
    with pytest.raises(UserError, match=r"'two' .* and 'one' .* cannot be compared.*" + tag):
        require_same_data(runs)


def test_runs_told_when_their_targets_happen_stand_with_their_like_only(store):
    table = per_user(2.0, 1, protocol=KNOWN_TIME)
    blind = store.write("hstu", name="blind", table=per_user(2.0, 2, protocol=PROTOCOL))
    floor = store.write("counter", table=per_user(1.0, 3, protocol=PROTOCOL))
    told = [store.write("hstu", name=f"told{s}", seed=s, table=table) for s in (0, 1)]
    assert {run.id for run in select_runs(store.client)} == set(told)
    assert {run.id for run in select_runs(store.client, "told0")} == {told[0]}
    assert {run.id for run in select_runs(store.client, "blind")} == {blind, floor}
    runs = select_runs(store.client, "blind,told0", floors=False)
    for refuse in (require_same_data, load_groups):
        with pytest.raises(UserError, match="told when each target happens") as refused:
            refuse(runs)
        assert "'blind'" in str(refused.value)
        assert "'told0'" in str(refused.value)


def test_seeds_of_one_distillation_are_equal_although_their_baselines_are_two_runs(store):
    base = [store.write("sasrec", seed=s) for s in (0, 1)]
    other = store.write("sasrec", seed=0, params={"lr": "0.5"})
    keys = []
    for seed, baseline in enumerate([*base, other]):
        run_id = store.write(
            stage="distill",
            seed=seed,
            params={"baseline_run": baseline},
            tags={"baseline_run_id": baseline},
        )
        keys.append(find_scored_run(store.client, run_id).key)
    assert keys[0] == keys[1]
    assert keys[2] != keys[0]
