"""Transfer sets: views are parts of histories, lists are the pool's, and students learn them."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.floors import fit_floor
from recdistill.lessons import (
    Lessons,
    Pool,
    Views,
    ViewsConfig,
    _positions,
    draw_views,
    label_views,
    load_transfer_set,
    save_transfer_set,
    score_every_position,
)
from recdistill.lessons._folds import user_folds
from recdistill.students import StudentConfig, StudentRecommender, build_student


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=6),
    st.integers(1, 4),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_view_is_a_part_of_its_owners_history_in_order(
    lengths: list[int], n_views: int, crop: float, shortest: float, drop: float
) -> None:
    rows = [list(range(100 * u + 1, 100 * u + 1 + n)) for u, n in enumerate(lengths)]
    views = draw_views(
        Sequences.from_lists(rows), ViewsConfig(n_views, crop, shortest, drop), seed=3
    )
    assert views.owners.tolist() == list(range(len(rows))) * n_views
    for view, owner in enumerate(views.owners):
        items = views.sequences.row(view).tolist()
        assert items == sorted(items), "order is kept"
        assert set(items) <= set(rows[owner])
        assert len(items) >= min(3, len(rows[owner]))
        if view < len(rows):
            assert items == rows[owner], "the first view is the history"


def test_views_depend_on_the_seed_alone() -> None:
    train = Sequences.from_lists([list(range(1, 40))] * 3)
    one, same, other = (draw_views(train, ViewsConfig(3), seed=s).sequences for s in (0, 0, 1))
    assert np.array_equal(one.items, same.items)
    assert not np.array_equal(one.items, other.items)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(1, 4), st.integers(1, 4))
def test_lessons_followed_by_others_say_what_each_said(
    lengths: list[int], k: int, later_k: int
) -> None:
    def drawn(k: int) -> Lessons:
        rows = Sequences.from_lists([range(1, n + 1) for n in lengths])
        n = len(rows.items)
        items = torch.randint(1, 9, (n, k), dtype=torch.int32)
        return Lessons(rows, items, torch.randn(n, k), torch.rand(n), torch.ones(n))

    one, two = drawn(k), drawn(later_k)
    both, shortest = one.followed_by(two), min(k, later_k)
    assert len(both.sequences) == 2 * len(lengths)
    for given_by, first in ((one, 0), (two, len(lengths))):
        for row, length in enumerate(lengths):
            at = torch.full((length,), row), torch.arange(length)
            here, there = given_by.at(*at), both.at(at[0] + first, at[1])
            assert here.items[:, :shortest].equal(there.items)
            assert here.logits[:, :shortest].equal(there.logits)
            assert here.distance.equal(there.distance)
    assert both.about(one.sequences).n_targets == one.n_targets


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"n_views": 0}, "n_views is 0"), ({"drop": 1.5}, "drop is 1.5"), ({"crop": -1}, "crop")],
)
def test_impossible_views_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        ViewsConfig(**settings)  # type: ignore[arg-type]


def student(walks, max_length=8) -> StudentRecommender:
    torch.manual_seed(0)
    config = StudentConfig(dim=8, n_blocks=1, n_heads=1, max_length=max_length, dropout=0.0)
    network = build_student(config, walks.catalog.n_items, seed=1).eval()
    return StudentRecommender(network, config, walks.catalog.digest, walks.split_digest)


def test_every_position_is_scored_from_the_items_before_it(walks) -> None:
    few = walks.train.take(np.arange(4))
    floor = fit_floor("ease", walks.train, walks.catalog)
    network = student(walks)
    _, positions = few.keys()
    for model in (floor, network):
        scores = score_every_position(model, few)
        assert scores.shape == (len(few.items), walks.catalog.n_items + 1)
        changed = few.items.copy()
        cut = 3
        changed[positions >= cut] = 1
        again = score_every_position(model, Sequences(changed, few.offsets))
        early = torch.from_numpy(positions <= cut)
        torch.testing.assert_close(scores[early], again[early])
    last = Sequences.from_lists([few.row(0)[:-1]])
    whole = score_every_position(floor, few.take(np.array([0])))
    torch.testing.assert_close(whole[-1], floor.score(last)[0])
    # A network's last position has read a whole window, or all there is.
    read = Sequences.from_lists([few.row(0)])
    ends = score_every_position(network, read)[1:9]
    single = score_every_position(network, Sequences.from_lists([few.row(0)[:9]]))[1:9]
    torch.testing.assert_close(ends, single)


def test_lists_are_the_pools_and_floors_do_not_know_the_user(walks) -> None:
    floor, network = fit_floor("counter", walks.train, walks.catalog), student(walks)
    pool = Pool([floor, network], [0.7, 0.3], walks.catalog.digest)
    views = draw_views(walks.train, ViewsConfig(2), seed=0)
    reported: list[tuple[int, int]] = []
    made = label_views(
        pool, views, walks, k=5, n_folds=3, report=lambda n, of: reported.append((n, of))
    )
    assert reported[-1] == (len(views.owners), len(views.owners))
    folds = user_folds(len(walks.train), 3, 0)
    for view in (0, len(walks.train) + 2):
        owner = views.owners[view]
        others = walks.train.take(np.flatnonzero(folds != folds[owner]))
        refitted = fit_floor("counter", others, walks.catalog)
        items = views.sequences.row(view)
        place = len(items) - 1
        expected = Pool([refitted], [0.7], walks.catalog.digest).score(
            Sequences.from_lists([items[:place]])
        )[0]
        said = score_every_position(network, Sequences.from_lists([items]))[place]
        expected = expected + 0.3 * (said - said[1:].mean())
        expected[torch.from_numpy(items[:place]).long()] = -torch.inf
        expected[0] = -torch.inf
        best = expected.log_softmax(0).topk(5)
        at = made.sequences.offsets[view] + place
        assert made.items[at].tolist() == best.indices.tolist()
        torch.testing.assert_close(made.logits[at], best.values, atol=1e-4, rtol=1e-4)


def test_a_view_without_a_target_is_not_asked_about(walks) -> None:
    rows = [walks.train.row(u) for u in range(len(walks.train))]
    views = Views(Sequences.from_lists([rows[0], rows[1][:1], []]), np.array([0, 1, 2]))
    pool = Pool([student(walks)], [1.0], walks.catalog.digest)
    made = label_views(pool, views, walks, k=3)
    assert made.covered.tolist() == [False] + [True] * (len(rows[0]) - 1) + [False]


def test_a_list_is_no_longer_than_the_catalog(walks) -> None:
    views = Views(Sequences.from_lists([walks.train.row(0)]), np.array([0]))
    pool = Pool([student(walks)], [1.0], walks.catalog.digest)
    n_items = walks.catalog.n_items
    made = label_views(pool, views, walks, k=n_items + 5)
    longest = (made.items > 0).sum(1).max()
    assert longest == n_items - 1, "all but the one item before the first target"
    shares = made.logits[made.covered].exp().sum(1)
    torch.testing.assert_close(shares, torch.ones_like(shares), atol=1e-4, rtol=0)


def test_lists_held_in_files_are_saved_as_those_held_in_memory(walks, tmp_path: Path) -> None:
    pool = Pool([student(walks)], [1.0], walks.catalog.digest)
    views = draw_views(walks.train, ViewsConfig(2), seed=0)
    written = []
    for place in (None, tmp_path):
        folder = tmp_path / f"{place is None}"
        made = label_views(pool, views, walks, k=4, scratch=place)
        save_transfer_set(made, folder, walks)
        written.append((folder / "transfer_set.safetensors").read_bytes())
    assert written[0] == written[1]
    n = len(views.sequences.items)
    sizes = {path.name: path.stat().st_size for path in tmp_path.glob("lists_*")}
    assert sizes == {"lists_items": n * 4 * 4, "lists_logits": n * 4 * 2}


def test_what_was_saved_is_read_back_and_belongs_to_its_data(walks, tmp_path: Path) -> None:
    pool = Pool([student(walks)], [1.0], walks.catalog.digest)
    made = label_views(pool, draw_views(walks.train, ViewsConfig(2), seed=0), walks, k=4)
    save_transfer_set(made, tmp_path, walks)
    again = load_transfer_set(tmp_path, walks)
    assert np.array_equal(again.sequences.items, made.sequences.items)
    assert torch.equal(again.items, made.items)
    assert torch.equal(again.weights, made.weights)
    torch.testing.assert_close(again.logits.float(), made.logits, atol=0.02, rtol=0.02)
    assert again.shortened(2).items.shape[1] == 2
    foreign = SimpleNamespace(catalog=walks.catalog, split_digest="another")
    with pytest.raises(UserError, match="made on other data"):
        load_transfer_set(tmp_path, foreign)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="holds no transfer set"):
        load_transfer_set(tmp_path / "nowhere", walks)


def test_folds_without_a_view_are_passed_over(walks):
    """As with views of few users, or of users who took one item."""
    floor = fit_floor("knn", walks.train, walks.catalog)
    pool = Pool([floor], [1.0], walks.catalog.digest)
    views = draw_views(walks.train, ViewsConfig(n_views=1), seed=0)
    one = Views(views.sequences.take(np.array([0])), views.owners[:1])
    made = label_views(pool, one, walks, k=5, n_folds=5)
    assert made.n_covered == len(one.sequences.items) - 1


@given(st.lists(st.integers(0, 400), min_size=1, max_size=200))
def test_windows_read_together_are_of_like_length_and_each_is_read_once(n_read: list[int]) -> None:
    """Padded to the longest of all, many short histories and a long one would fill the memory."""
    windows = _positions._windows(np.array(n_read), 50)
    blocks = list(windows.in_blocks())
    assert sum(len(one.rows) for one in blocks) == len(windows.rows)
    read = sorted((r, s) for one in blocks for r, s in zip(one.rows, one.starts, strict=True))
    assert read == sorted(zip(windows.rows, windows.starts, strict=True))
    for one in blocks:
        assert len(one.rows) * one.lengths.max() <= max(8_192, int(one.lengths.min()))
