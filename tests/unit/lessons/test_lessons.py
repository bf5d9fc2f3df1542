"""Lessons come from where they should: right key, nothing seen, budget kept, poison refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.checksums import parse_description, write_description
from recdistill.errors import UserError
from recdistill.evaluation import PositionScores
from recdistill.lessons import (
    BaselineView,
    SelectionConfig,
    TableWriter,
    TeacherTable,
    export_table,
    join_tables,
    overlap,
    select,
    view_training,
)
from recdistill.students import SASRec
from tests.unit.lessons.cross_fitted import cross_fitted_scores


def scores_of(data, kind="counter"):
    return cross_fitted_scores(kind, None, data.train, data.catalog, n_folds=3)


def table_of(data, folder, kind="counter", *, shuffle=None, keep=1.0, scores=None, top_k=30):
    parts = list(scores or scores_of(data, kind))
    users = np.concatenate([p.users for p in parts])
    positions = np.concatenate([p.positions for p in parts])
    matrix = torch.cat([p.scores for p in parts])
    order = np.arange(len(users))
    if shuffle is not None:
        order = np.random.default_rng(shuffle).permutation(order)
    order = order[: int(keep * len(order))]
    one = PositionScores(users[order], positions[order], matrix[order])
    return export_table(folder, data, [one], teacher_digest="t", top_k=top_k, logits="float32")


def test_shuffling_the_table_changes_no_lesson(walks, tmp_path):
    plain = join_tables([table_of(walks, tmp_path / "a")], [2.0], walks, k=5)
    mixed = join_tables([table_of(walks, tmp_path / "b", shuffle=1)], [2.0], walks, k=5)
    assert torch.equal(plain.items, mixed.items)
    assert torch.allclose(plain.logits, mixed.logits)
    assert plain.n_covered == plain.n_targets == int((walks.train.lengths - 1).sum())


def test_joined_lessons_equal_those_of_the_full_scores(walks, lessons, tmp_path):
    joined = join_tables([table_of(walks, tmp_path)], [3.0], walks, k=5)
    covered = joined.covered
    assert torch.allclose(joined.logits[covered], lessons.logits[covered], atol=1e-4)
    agreement = (joined.items[covered] == lessons.items[covered]).float().mean()
    assert agreement > 0.95  # ties may come in another order
    repeated = [i in row[:p] for row in map(walks.train.row, range(60)) for p, i in enumerate(row)]
    unseen = ~torch.tensor(repeated)[covered]
    assert torch.allclose(
        joined.distance[covered][unseen], lessons.distance[covered][unseen], atol=1e-3
    )


def test_short_lists_claim_as_much_as_they_hit(walks, tmp_path):
    joined = join_tables([table_of(walks, tmp_path, top_k=6)], [2.5], walks, k=4)
    covered = joined.covered
    hits = (joined.items == torch.from_numpy(walks.train.items)[:, None]).any(1)[covered]
    claimed = joined.logits[covered].exp().sum(1)
    assert claimed.mean().item() == pytest.approx(hits.float().mean().item(), abs=1e-3)
    assert claimed.max() < 1


def test_lessons_find_their_user_and_position(lessons, walks):
    rows = torch.tensor([4, 0, 4])
    positions = torch.tensor([2, 1, 1])
    lesson = lessons.at(rows, positions)
    flat = walks.train.offsets[[4, 0, 4]] + np.array([2, 1, 1])
    assert torch.equal(lesson.items, lessons.items[flat].long())
    assert lesson.probabilities(2.0).sum(1).tolist() == pytest.approx([1, 1, 1])


def test_no_lesson_recommends_what_the_user_had(lessons, walks):
    for user in range(len(walks.train)):
        row = walks.train.row(user)
        for position in range(1, len(row)):
            listed = set(lessons.items[walks.train.offsets[user] + position].tolist()) - {0}
            assert not listed & (set(row[:position].tolist()) - {int(row[position])})


def test_a_partial_table_is_counted_and_refused_below_the_wanted_share(walks, tmp_path):
    table = table_of(walks, tmp_path, shuffle=2, keep=0.4)
    lessons = join_tables([table], [1.0], walks, k=5)
    assert 0.3 < lessons.coverage < 0.5
    assert int((lessons.weights > 0).sum()) == lessons.n_covered == int(lessons.covered.sum())
    with pytest.raises(UserError, match="below min_coverage"):
        join_tables([table], [1.0], walks, k=5, min_coverage=0.5)


def raw_table(data, folder, **changed):
    """A table written column by column, with something wrong in it."""
    n, k = 4, 3
    columns = {
        "ids": np.tile(np.array([3, 1, 2]), (n, 1)),
        "logits": np.tile(np.array([0.0, -1, -2]), (n, 1)),
        "log_total": np.full(n, 1.0),
        "target_rank": np.ones(n),
        "reliability": np.full(n, 0.5),
    }
    users = changed.pop("users", np.array([0, 0, 1, 1]))
    positions = changed.pop("positions", np.array([1, 2, 1, 2]))
    writer = TableWriter(folder, data, teacher_digest="t", top_k=k, logits="float32")
    with writer:
        writer.add_columns(users, positions, **(columns | changed))
    return TeacherTable.open(folder, data)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"positions": np.array([1, 2, 1, 400])}, "no training target"),
        ({"users": np.array([0, 0, 1, 999])}, "no training target"),
        ({"positions": np.array([1, 1, 1, 2])}, "positions twice"),
        ({"ids": np.full((4, 3), 31)}, "catalog ends at 30"),
        ({"logits": np.full((4, 3), np.nan)}, "NaN or infinite"),
    ],
)
def test_poisoned_tables_are_refused(walks, tmp_path, changed, sentence):
    with pytest.raises(UserError, match=sentence):
        join_tables([raw_table(walks, tmp_path, **changed)], [1.0], walks, k=3)


def test_foreign_and_corrupted_tables_never_open(walks, tmp_path):
    folder = raw_table(walks, tmp_path / "t").folder
    with pytest.raises(UserError, match="split"):
        TeacherTable.open(folder, replace(walks, manifest={"split_digest": "other"}))
    shard = next(folder.glob("*logits*"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match="checksum"):
        TeacherTable.open(folder, walks)
    facts = parse_description(folder / "manifest.json", "teacher table")
    del facts["sha256"]
    names = facts.pop("files")
    write_description(folder / "manifest.json", facts | {"catalog_digest": "x"}, names)
    with pytest.raises(UserError, match="catalog"):
        TeacherTable.open(folder, walks)


def test_two_tables_add_up_to_the_sum_of_their_scores(walks, tmp_path):
    """With whole rows in the tables nothing is left to guess."""
    kinds, factors = ("counter", "knn"), (2.0, 0.7)
    tables = [table_of(walks, tmp_path / kind, kind) for kind in kinds]
    joined = join_tables(tables, factors, walks, k=3)
    streams = [list(scores_of(walks, kind)) for kind in kinds]
    for parts in zip(*streams, strict=True):
        total = sum(f * p.scores for f, p in zip(factors, parts, strict=True))
        for row in range(0, len(parts[0].users), 7):
            user, position = int(parts[0].users[row]), int(parts[0].positions[row])
            if position == 0:
                continue
            scores = total[row].clone()
            scores[walks.train.row(user)[:position].tolist()] = -torch.inf
            at = walks.train.offsets[user] + position
            best = scores.topk(3).values - scores[scores.isfinite()].max()
            found = joined.logits[at] - joined.logits[at, 0]
            assert torch.allclose(found, best, atol=1e-3)


@pytest.mark.parametrize("policy", ["random", "uncertain", "disagreement"])
def test_selection_keeps_the_budget_where_it_should(walks, lessons, policy):
    model = SASRec(30, dim=8, n_blocks=1, max_length=9, dropout=0.0)
    view = view_training(model, walks.train, 5)
    chosen = select(SelectionConfig(policy, 0.25), lessons, view, seed=0)
    kept, covered = chosen.weights > 0, lessons.covered
    assert int(kept.sum()) == round(0.25 * int(covered.sum()))
    assert bool((covered | ~kept).all())
    left = covered & ~kept
    if policy == "uncertain":
        assert view.log_likelihood[kept].max() <= view.log_likelihood[left].min()
    if policy == "disagreement":
        shared = overlap(lessons.items, view.items)
        assert shared[kept].max() <= shared[left].min()
    again = select(SelectionConfig(policy, 0.25), lessons, view, seed=0)
    assert torch.equal(again.weights, chosen.weights)


def test_view_of_training_equals_scoring_the_whole_history(walks):
    model = SASRec(30, dim=8, n_blocks=1, max_length=50, dropout=0.0).eval()
    view = view_training(model, walks.train, 4)
    row = walks.train.row(3)
    # Inner positions count their age from the window's end, as they do in training.
    prefix = torch.from_numpy(row[:-1])[None].long()
    scores = (model.encode(prefix)[0, -1] @ model.item_table().T).detach()
    scores[0] = -torch.inf
    expected = scores[row[-1]] - scores.logsumexp(0)
    found = view.log_likelihood[walks.train.offsets[4] - 1].item()
    assert found == pytest.approx(expected.item(), abs=1e-5)


def test_selection_needs_what_it_compares_with(lessons):
    with pytest.raises(UserError, match="baseline"):
        select(SelectionConfig("uncertain"), lessons, None, seed=0)
    with pytest.raises(UserError, match="budget"):
        SelectionConfig("random", 0)
    same = select(SelectionConfig("all", 0.1), lessons, None, seed=0)
    assert torch.equal(same.weights, lessons.weights)
    assert isinstance(BaselineView(lessons.items, lessons.distance), BaselineView)
