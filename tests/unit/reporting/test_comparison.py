from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from recdistill.errors import UserError
from recdistill.evaluation import compare_paired, holm
from recdistill.reporting import (
    Resampling,
    as_markdown,
    caveats,
    compare_groups,
    load_groups,
    read_history,
    select_runs,
    verdict,
)

from .small_runs import per_user

FEW = Resampling(n_resamples=500)


def compared(store, dataset="tiny", **options):
    runs = select_runs(store.client, f"tags.dataset = '{dataset}'")
    return compare_groups(
        load_groups(runs), resampling=FEW, history=read_history(store.client, runs[0]), **options
    )


def write_seeds(store, model, n=3, **options):
    """Write a recipe in several seeds whose means differ a little, as real ones do."""
    strength = options.pop("strength", 2.0)
    return [
        store.write(model, seed=seed, strength=strength + 0.02 * seed, **options)
        for seed in range(n)
    ]


def test_all_p_values_are_corrected_together(store):
    for model, strength in (("counter", 2.0), ("markov", 1.0), ("sasrec", 2.6), ("gru4rec", 2.4)):
        store.write(model, strength=strength)
    comparison = compared(store)
    contrasts = [c for row in comparison.rows for c in row.against_reference.values()]
    contrasts += [
        c
        for label, found in comparison.against_floor.items()
        if label != comparison.reference.label
        for c in found.values()
    ]
    contrasts += list(comparison.against_floor[comparison.reference.label].values())
    assert len(contrasts) == comparison.n_tests == 3 * 2 + 2 * 2
    assert holm([c.p for c in contrasts]) == pytest.approx([c.p_adjusted for c in contrasts])


def test_reference_is_the_newest_neural_baseline_and_can_be_chosen(store):
    old = store.write("sasrec", params={"lr": "9"})
    store.write("gru4rec")
    store.write("sasrec", stage="distill")
    store.write("counter")
    assert compared(store).reference.label == "gru4rec"
    assert old in {run.id for run in compared(store, reference_id=old).reference.runs}


def test_two_single_runs_are_two_models_and_seeds_make_them_methods(store):
    store.write("sasrec")
    store.write("counter")
    found = compared(store).row("counter").against_reference["recall"]
    assert (found.about, found.test, found.noise_runs) == ("models", "McNemar", (1, 0))
    assert found.p == found.p_users
    store.write("sasrec", seed=1)
    for found in compared(store).row("counter").against_reference.values():
        assert (found.about, found.test) == ("methods", "users and trainings")
        assert (found.n_seeds, found.noise_runs) == ((1, 2), (1, 2))


def test_one_seed_is_enough_where_the_store_knows_the_noise(store):
    write_seeds(store, "counter", 1, strength=1.0)
    ids = write_seeds(store, "sasrec", 4, strength=2.5)
    store.write("gru4rec", strength=2.4)
    runs = select_runs(store.client, f"{ids[1]}", floors=True)
    alone = compare_groups(load_groups(runs), resampling=FEW)
    assert alone.row("sasrec").against_reference == {}
    assert alone.row("counter").against_reference["ndcg"].about == "models"
    known = compare_groups(
        load_groups(runs), resampling=FEW, history=read_history(store.client, runs[0])
    )
    found = known.row("counter").against_reference["ndcg"]
    assert (found.about, found.noise_runs, found.n_seeds) == ("methods", (1, 4), (1, 1))
    assert "known from 4 runs of sasrec in the store" in verdict(known)[0].figures
    assert known.row("sasrec").noise["ndcg"].user_part > 0


def test_a_run_from_the_cache_and_a_seed_run_twice_add_nothing_to_what_is_known(store):
    store.write("counter")
    ids = write_seeds(store, "sasrec", 3)
    before = compared(store).row("sasrec").noise["ndcg"]
    store.stand_in(ids[0])
    comparison = compared(store)
    assert comparison.row("sasrec").noise["ndcg"] == before
    assert comparison.history.n_looks == 4


def test_the_recipe_tag_decides_what_is_one_recipe(store):
    store.write("counter")
    for seed in (0, 1):
        store.write("sasrec", seed=seed, tags={"recipe.key": "r" * 16}, params={"lr": str(seed)})
    assert compared(store).row("sasrec").noise["recall"].n_runs == 2


def test_looks_are_counted_and_raise_the_bar_on_request(store):
    store.write("counter", strength=1.0)
    write_seeds(store, "sasrec", 3)
    store.write("sasrec", status="FAILED", params={"lr": "9"})
    said = [str(one) for one in caveats(compared(store))]
    assert any("looked at 5 times" in words for words in said)
    strict = compared(store, correct_for_looks=True)
    assert strict.level == pytest.approx(0.05 / 5)
    assert any("0.01" in str(one) and "looked at" in str(one) for one in caveats(strict))


def test_settings_tried_after_a_look_are_named(store):
    store.write("counter")
    store.write("sasrec", params={"lr": "1"})
    store.write("sasrec", params={"lr": "2"})
    said = [str(one) for one in caveats(compared(store))]
    late = next(words for words in said if "after other settings" in words)
    assert "lr=2" in late
    assert "lr=1" not in late


def test_settings_started_by_one_command_were_not_tried_after_a_look(store):
    store.write("counter")
    for rate, parent in (("1", "p" * 32), ("2", "p" * 32), ("3", "q" * 32)):
        store.write("sasrec", params={"lr": rate}, tags={"mlflow.parentRunId": parent})
    said = [str(one) for one in caveats(compared(store))]
    late = next(words for words in said if "after other settings" in words)
    assert "lr=3" in late
    assert "lr=2" not in late


def student_and_teachers(store, strength, teachers=2.6):
    write_seeds(store, "sasrec", 3, strength=1.5)
    pool = store.write("together", stage="make_transfer_set", strength=teachers)
    for seed in range(3):
        store.write(
            "student", seed=seed, stage="distill", strength=strength,
            tags={"transfer_run_id": pool},
        )  # fmt: skip


def test_reaching_the_teachers_needs_an_interval_inside_the_margin(store):
    student_and_teachers(store, strength=2.6)
    wide = compared(store, margin=0.5)
    assert all(one.reaches and one.equal and one.stated for one in wide.reaches)
    assert any("is as good as its teachers" in str(one) for one in caveats(wide))
    narrow = compared(store, margin=0.001)
    assert not any(one.reaches for one in narrow.reaches)
    assert any("not shown that student reaches" in str(one) for one in caveats(narrow))
    gain = {one.metric: one.margin for one in compared(store).reaches}
    means = {row.label: row.estimates["ndcg"].mean for row in compared(store).rows}
    assert gain["ndcg"] == pytest.approx((means["together"] - means["sasrec"]) / 2)


def test_seeds_that_share_their_teachers_are_told_so(store):
    student_and_teachers(store, strength=2.0)
    said = [str(one) for one in caveats(compared(store))]
    assert any("All seeds of student learned from one set" in words for words in said)


def test_teachers_below_the_reference_leave_nothing_to_reach(store):
    student_and_teachers(store, strength=1.0, teachers=0.5)
    said = [str(one) for one in caveats(compared(store))]
    assert any("nothing for student to reach" in words for words in said)


def carried(strength, seed, n=120):
    """Ranks of a model that is better on one item, which many users took, and on nothing else."""
    table = per_user(2.0, seed)
    table["target"] = np.where(np.arange(len(table)) < n, 1, 2 + np.arange(len(table)))
    above = table["n_above"] if strength == 0 else table["n_above"].where(table["target"] != 1, 0)
    return table.assign(n_above=above)


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_a_difference_that_one_item_carries_is_named(store, n_seeds):
    for seed in range(n_seeds):
        store.write("sasrec", seed=seed, table=carried(0, seed))
        store.write("gru4rec", seed=seed, table=carried(1, seed))
    comparison = compared(store)
    one = next(row for row in comparison.rows if row.against_reference).against_reference["recall"]
    assert one.p_adjusted < 0.01
    assert one.about == ("methods" if n_seeds > 1 else "models")
    assert one.n_targets == 181
    assert one.low_items <= 0 <= one.high_items
    said = [str(claim) for claim in caveats(comparison)]
    assert any("Few items carry" in words and "recall@10" in words for words in said)


def test_where_all_have_one_target_nothing_is_said_of_items(store):
    for seed in range(2):
        store.write("sasrec", seed=seed, table=per_user(2.0, seed).assign(target=1))
        store.write("gru4rec", seed=seed, table=per_user(3.0, 9 + seed).assign(target=1))
    comparison = compared(store)
    one = next(row for row in comparison.rows if row.against_reference).against_reference["recall"]
    assert (one.low_items, one.high_items, one.n_targets) == (None, None, 1)
    assert not any("Few items" in str(claim) for claim in caveats(comparison))


def test_where_every_user_took_another_item_items_say_what_users_say(store):
    for seed in range(3):
        for model, strength, draw in (("sasrec", 2.0, 10), ("gru4rec", 2.6, 20)):
            table = per_user(strength, draw + seed)
            store.write(model, seed=seed, table=table.assign(target=1 + np.arange(len(table))))
    comparison = compared(store)
    one = next(row for row in comparison.rows if row.against_reference).against_reference["ndcg"]
    assert (one.low_items, one.high_items) == pytest.approx((one.low, one.high))
    assert not any("Few items" in str(claim) for claim in caveats(comparison))


def test_figures_are_those_of_the_evaluation_room(store):
    tables = {"sasrec": per_user(2.5, 1), "counter": per_user(2.0, 2)}
    for model, table in tables.items():
        store.write(model, table=table)
    comparison = compared(store)
    expected = compare_paired(
        [tables["counter"]], [tables["sasrec"]], n_resamples=FEW.n_resamples, seed=FEW.seed
    )
    found = comparison.row("counter").against_reference["recall"]
    assert (found.delta, found.low, found.high) == (expected.delta, expected.low, expected.high)
    hits = (tables["counter"]["n_above"] < 10).sum()
    assert comparison.row("counter").hits == hits
    estimate = comparison.row("counter").estimates["recall"]
    assert estimate.mean == pytest.approx(hits / len(tables["counter"]))
    assert estimate.low < estimate.mean < estimate.high


def test_spread_over_seeds_stands_beside_the_mean(store):
    tables = [per_user(2.0 + s, s) for s in (0, 1)]
    for seed, table in enumerate(tables):
        store.write("sasrec", seed=seed, table=table)
    store.write("counter")
    single = [float((t["n_above"] < 10).mean()) for t in tables]
    estimate = compared(store).row("sasrec").estimates["recall"]
    assert (estimate.worst_seed, estimate.best_seed) == (min(single), max(single))
    assert estimate.mean == pytest.approx(np.mean(single))


def test_a_neural_model_that_does_not_beat_the_best_floor_is_told_so(store):
    store.write("popularity", strength=0.5)
    store.write("counter", strength=2.3, table=per_user(2.3, 11))
    for seed in (0, 1):
        store.write("sasrec", seed=seed, table=per_user(2.32, 12 + seed))
    claims = verdict(compared(store))
    assert claims[0].words == "sasrec does not beat the best floor, counter"
    assert "recall@10" in claims[0].figures


def test_a_clear_winner_and_a_clear_loser_are_told_so(store):
    store.write("counter", strength=2.0)
    write_seeds(store, "sasrec", strength=3.5)
    write_seeds(store, "gru4rec", strength=0.5)
    words = [claim.words for claim in verdict(compared(store))]
    assert "sasrec beats the best floor, counter" in words
    assert "gru4rec is worse than the best floor, counter" in words
    assert "sasrec beats gru4rec" in words


def test_users_needed_are_named_when_there_are_too_few(store):
    hit = np.zeros(300, np.int32)
    better = hit.copy()
    hit[:150] = 400
    better[3:151] = 400
    tables = [per_user(1.0, 0).assign(n_above=above) for above in (hit, better)]
    store.write("counter", table=tables[0])
    store.write("sasrec", table=tables[1])
    said = verdict(compared(store))[0]
    assert said.words == (
        "These trained models only: sasrec does not differ significantly from the best floor, "
        "counter"
    )
    assert "A verdict on the methods would take at least" in said.figures
    assert "users and 5 seeds a side" in said.figures


def test_a_distilled_student_comes_first_and_its_control_is_a_kind_of_its_own(store):
    write_seeds(store, "counter", n=1, strength=1.0)
    write_seeds(store, "sasrec", strength=2.0)
    for control, strength in (("none", 3.5), ("no_lists", 2.0)):
        for seed in range(3):
            store.write(
                "", seed=seed, stage="distill", strength=strength + 0.02 * seed,
                params={"control": control},
            )  # fmt: skip
    comparison = compare_groups(
        load_groups(select_runs(store.client)),
        resampling=FEW,
        history=read_history(store.client, select_runs(store.client)[0]),
    )
    assert {row.label for row in comparison.rows} >= {"distilled student", "control no_lists"}
    claims = [claim.words for claim in verdict(comparison)]
    assert claims[0] == "distilled student beats sasrec"
    assert not any("control no_lists beats sasrec" in words for words in claims)


def test_a_claim_names_the_metric_that_alone_decides(store):
    write_seeds(store, "counter", n=1, strength=1.0)
    write_seeds(store, "sasrec", strength=2.0)
    write_seeds(store, "gru4rec", strength=3.5)
    comparison = compared(store, reference_id=next(
        run.id for run in select_runs(store.client) if run.model == "sasrec"
    ))  # fmt: skip
    row = comparison.row("gru4rec")
    level = (row.against_reference["recall"].p_adjusted, row.against_reference["ndcg"].p_adjusted)
    between = sum(level) / 2
    assert min(level) < between < max(level)
    alone = "recall@10" if level[0] < level[1] else "NDCG@10"
    claims = [claim.words for claim in verdict(replace(comparison, level=between))]
    assert f"gru4rec beats sasrec in {alone} alone" in claims


def test_without_a_floor_the_verdict_asks_for_one(store):
    store.write("sasrec")
    store.write("gru4rec")
    assert "No floor was run" in verdict(compared(store))[0].words


def test_one_model_alone_is_refused(store):
    store.write("sasrec")
    with pytest.raises(UserError, match="Only one model was selected"):
        compared(store)


def test_markdown_has_a_row_per_model_and_columns_in_line(store):
    store.write("counter")
    store.write("a|b")
    lines = as_markdown(compared(store)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 4
    assert len({len(line) for line in table}) == 1
    assert any("a\\|b" in line for line in table)


def test_users_with_several_cases_count_once(store):
    def each_three_times(table):
        more = pd.concat([table] * 3, ignore_index=True)
        more.attrs = table.attrs | {"cases_digest": "f" * 32}
        return more

    for seed in range(3):
        for model, strength, draw in (("sasrec", 2.0, 10), ("gru4rec", 2.6, 20)):
            store.write(model, seed=seed, table=per_user(strength, draw + seed))
    once = compared(store)
    for seed in range(3):
        for model, strength, draw in (("sasrec", 2.0, 10), ("gru4rec", 2.6, 20)):
            table = each_three_times(per_user(strength, draw + seed))
            tags = {"dataset": "thrice", "split.digest": "b" * 32}
            store.write(model, seed=seed, table=table, tags=tags)
    thrice = compared(store, "thrice")
    assert (thrice.n_cases, thrice.n_users) == (3 * once.n_cases, once.n_users)
    for label in ("sasrec", "gru4rec"):
        for metric, found in thrice.row(label).against_reference.items():
            expected = once.row(label).against_reference[metric]
            assert (found.delta, found.p) == pytest.approx((expected.delta, expected.p))
            assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
            assert found.p_users == pytest.approx(expected.p_users)
