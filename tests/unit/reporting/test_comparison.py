import numpy as np
import pytest

from recdistill.errors import UserError
from recdistill.evaluation import compare_paired, holm
from recdistill.reporting import (
    Resampling,
    as_markdown,
    compare_groups,
    load_groups,
    select_runs,
    verdict,
)

from .small_runs import per_user

FEW = Resampling(n_resamples=500)


def compared(store, **options):
    runs = select_runs(store.client, "tags.dataset = 'tiny'")
    return compare_groups(load_groups(runs), resampling=FEW, **options)


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


def test_two_single_runs_are_tested_by_mcnemar_and_seeds_by_permutation(store):
    store.write("sasrec")
    store.write("counter")
    assert compared(store).row("counter").against_reference["recall"].test == "McNemar"
    store.write("sasrec", seed=1)
    found = compared(store).row("counter").against_reference
    assert found["recall"].test == found["ndcg"].test == "permutation"


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
    store.write("sasrec", table=per_user(2.32, 12))
    claims = verdict(compared(store))
    assert claims[0].words == "sasrec does not beat the best floor, counter"
    assert "recall@10" in claims[0].figures


def test_a_clear_winner_and_a_clear_loser_are_told_so(store):
    store.write("counter", strength=2.0)
    store.write("sasrec", strength=3.5)
    store.write("gru4rec", strength=0.5)
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
    figures = verdict(compared(store))[0].figures
    assert "test users would be needed" in figures
    assert "there are 300" in figures


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
