"""A model that goes on: nothing old moves until it is trained, and what is new is trained once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import PreparedData, Sequences, ancestor_of_split
from recdistill.errors import UserError
from recdistill.evaluation import evaluate
from recdistill.floors import fit_floor, save_model
from recdistill.lessons import ViewsConfig
from recdistill.students import StudentConfig, build_student, grow_student
from recdistill.texts import ItemVectors
from recdistill.training import FitConfig, StudentRecipe, fit_student
from recdistill.updating import Frozen, Replay, UpdateConfig, fresh_views, since, update_student
from recdistill.updating._frozen import load_frozen
from recdistill.updating._since import new_counts

from .conftest import N_FOURTH, N_THIRD, Log, Times

N_NEW = N_THIRD + N_FOURTH

TINY = StudentRecipe(
    StudentConfig(dim=16, n_blocks=1, n_heads=1, max_length=20, dropout=0.0),
    loop=FitConfig(max_epochs=2, tokens_per_batch=400, patience=0),
)


def trained(data: PreparedData) -> np.ndarray:
    return np.bincount(data.train.items, minlength=data.catalog.n_items + 1) > 0


def vectors_of(data: PreparedData) -> ItemVectors:
    values = np.random.default_rng(0).standard_normal((data.catalog.n_items + 1, 5))
    values[0] = 0
    return ItemVectors(values.astype(np.float32), data.catalog.digest, {"encoder": "drawn"})


@pytest.mark.parametrize("kind", ["sasrec", "gru4rec"])
def test_a_grown_student_scores_the_old_items_as_before(kind: str, times: Times) -> None:
    config = replace(TINY.architecture, kind=kind)  # type: ignore[arg-type]
    n_old, n_now = times.before.catalog.n_items, times.now.catalog.n_items
    model = build_student(config, n_old, seed=1, train=times.before.train).eval()
    known = trained(times.before)
    grown, rows = grow_student(model, config, n_now, times.now.train, trained=known)
    items = torch.from_numpy(times.before.train.padded(20))
    states = [m.eval().encode(items) for m in (model, grown)]
    torch.testing.assert_close(states[0], states[1])
    same = (model.item_table() == grown.item_table()[: n_old + 1]).all(1).numpy()
    assert same.tolist() == [i == 0 or bool(known[i]) for i in range(n_old + 1)]
    assert (rows.from_text, rows.from_neighbours, rows.from_scratch) == (0, N_THIRD, N_FOURTH)


def test_new_rows_that_met_nothing_start_from_their_text(times: Times) -> None:
    n_old, n_now = times.before.catalog.n_items, times.now.catalog.n_items
    vectors = vectors_of(times.now)
    model = build_student(TINY.architecture, n_old, seed=1)
    texts = torch.from_numpy(vectors.values.copy())
    with torch.no_grad():  # a table that the texts explain
        drawn = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
        model.item_table()[:] = texts[: n_old + 1] @ drawn
        model.item_table()[n_old - N_THIRD + 1 :] = 9  # rows that no training made
    grown, rows = grow_student(
        model,
        TINY.architecture,
        n_now,
        times.now.train,
        trained=trained(times.before),
        vectors=vectors,
    )
    assert (rows.from_text, rows.from_neighbours, rows.from_scratch) == (N_FOURTH, N_THIRD, 0)
    of_text, wanted = grown.item_table()[n_old + 1 :], (texts @ drawn)[n_old + 1 :]
    assert torch.nn.functional.cosine_similarity(of_text, wanted).min() > 0.7
    lengths = of_text.norm(dim=1)
    torch.testing.assert_close(lengths, lengths[:1].expand(len(lengths)))
    # As long as the rows of items that few have taken.
    counts = np.bincount(times.now.train.items, minlength=n_now + 1)[: n_old + 1]
    known = trained(times.before)
    few = known & (counts <= np.quantile(counts[known], 0.1))
    old = model.item_table()[torch.from_numpy(few)].norm(dim=1)
    assert old.min() - 1e-3 <= lengths[0] <= old.max() + 1e-3


def test_what_is_new_is_exactly_what_was_not_trained_on(times: Times) -> None:
    counts = new_counts(times.before, times.now)
    old = dict(zip(times.before.users, range(len(times.before.users)), strict=True))
    raw = [data.catalog.items["raw_id"].to_dict() for data in (times.before, times.now)]
    for user, name in enumerate(times.now.users):
        whole = [raw[1][i] for i in times.now.train.row(user).tolist()]
        trained = [raw[0][i] for i in times.before.train.row(old[name]).tolist()]
        assert whole[: len(whole) - counts[user]] == trained
    assert counts.sum() > 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 5)), min_size=3, max_size=20),
    st.integers(1, 6),
    st.floats(0, 0.9),
    st.integers(1, 3),
)
def test_replay_keeps_every_new_target_and_at_least_its_share(
    lengths: list[tuple[int, int]], context: int, share: float, times: int
) -> None:
    rows = [list(range(1, n + m + 1)) for n, m in lengths]
    before = Log({str(i): rows[i][:n] for i, (n, _) in enumerate(lengths)})
    now = Log({str(i): row for i, row in enumerate(rows)})
    try:
        config = UpdateConfig(new_times=times, replay=Replay(context, share))
        found = since(before, now, config, seed=0)  # type: ignore[arg-type]
    except UserError:
        assert not any(m and n + m > 1 for n, m in lengths)
        return
    # A user's very first item is read and never a target.
    assert found.n_new == sum(m - (n == 0) for n, m in lengths if n + m > 1)
    # Read once more is what is new, with at most 20 items before it.
    again = sum(m + min(n, 20) - 1 for n, m in lengths if m and n + m > 1)
    assert found.n_targets == found.n_new + found.n_replayed + (times - 1) * again
    of_active = sum(min(n, context) - 1 for n, m in lengths if m and n)
    spare = sum(min(n - 1, context) for n, m in lengths if m == 0 and n > 1)
    drawn = found.n_replayed - of_active
    assert found.replayed_share >= share - 1e-9 or drawn == spare
    assert not drawn or (found.n_replayed - context) < found.n_new * share / (1 - share) + 1


@pytest.mark.parametrize("item", ["id", "id+text"])
def test_an_update_learns_the_new_week_and_beats_standing_still(item: str, times: Times) -> None:
    architecture = replace(TINY.architecture, item=item)  # type: ignore[arg-type]
    recipe = replace(TINY, architecture=architecture, loop=replace(TINY.loop, max_epochs=6))
    texts = (None, None) if item == "id" else (vectors_of(times.before), vectors_of(times.now))
    student = fit_student(recipe, times.before, seed=0, vectors=texts[0]).recommender
    updated = update_student(
        student,
        recipe,
        times.before,
        times.now,
        UpdateConfig(epochs=4, new_times=1),
        seed=0,
        vectors=texts[1],
    )
    now = updated.fitted.recommender
    assert now.catalog_digest == times.now.catalog.digest
    assert (now.text is None) == (item == "id")
    frozen = Frozen(student, times.before.catalog.n_items, times.now.catalog)
    went_on, stood = (
        evaluate(m, times.now.test, times.now.catalog, times.now.train).outcome("ndcg").mean()
        for m in (now, frozen)
    )
    assert went_on > stood
    assert 0 < updated.share_of_full < 1
    assert updated.metrics()["update/n_new_targets"] > 0


def test_an_update_is_the_same_twice_and_refuses_strangers(times: Times) -> None:
    student = fit_student(TINY, times.before, seed=0).recommender
    tables = [
        update_student(
            student, TINY, times.before, times.now, UpdateConfig(epochs=1), seed=0
        ).fitted.recommender.model.item_table()
        for _ in range(2)
    ]
    torch.testing.assert_close(tables[0], tables[1], rtol=0, atol=0)
    with pytest.raises(UserError, match="there is no news"):
        update_student(student, TINY, times.now, times.now, UpdateConfig(), seed=0)
    student.catalog_digest = "another"
    with pytest.raises(UserError, match="was made for catalog another"):
        update_student(student, TINY, times.before, times.now, UpdateConfig(), seed=0)


def test_a_frozen_model_ranks_what_it_knows_as_it_did_and_new_items_last(times: Times) -> None:
    floor = fit_floor("markov", times.before.train, times.before.catalog)
    folder = times.path.parent / "model"
    save_model(floor, folder)
    frozen = load_frozen(folder, times.now.catalog)
    histories = Sequences.from_lists([[3, times.now.catalog.n_items, 5], [2], []])
    scores = frozen.score(histories)
    same = floor.score(Sequences.from_lists([[3, 5], [2], []]))
    n_old = times.before.catalog.n_items
    torch.testing.assert_close(scores[:, : n_old + 1], same)
    assert torch.isfinite(scores[:, 1:]).all()
    assert (scores[:, n_old + 1 :].amax(1) < scores[:, 1 : n_old + 1].amin(1)).all()
    with pytest.raises(UserError, match="was made for catalog"):
        load_frozen(folder, times.now.catalog.first(3))


def test_a_folder_knows_what_it_grew_from(times: Times) -> None:
    found = ancestor_of_split(times.now, times.before.split_digest)
    assert found is not None
    assert found.folder == times.before.folder
    assert ancestor_of_split(times.now, "0" * 32) is None
    assert times.now.catalog.items["raw_id"].tolist()[-N_FOURTH:] == ["i24", "i25"]


def test_fresh_views_are_of_those_whose_histories_grew() -> None:
    before = Log({"a": [1, 2, 3], "b": [4, 5, 6, 7]})
    now = Log({"a": [1, 2, 3], "b": [4, 5, 6, 7, 8], "c": [9, 1, 2, 3]})
    views = fresh_views(before, now, ViewsConfig(2), seed=0)  # type: ignore[arg-type]
    assert views.owners.tolist() == [1, 2, 1, 2]
    whole = [views.sequences.row(view).tolist() for view in range(2)]
    assert whole == [[4, 5, 6, 7, 8], [9, 1, 2, 3]]
