"""Imagined futures: drawn from the teacher, listed by the teacher, and learned from."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.distillation import Futures, ImagineConfig, LogLinearPool, imagine
from recdistill.errors import UserError

N_ITEMS = 12


class Follower:
    """Expects the successor of the newest item, and nothing else much."""

    catalog_digest = "c"

    def score(self, histories: Sequences) -> torch.Tensor:
        scores = torch.zeros(len(histories), N_ITEMS + 1)
        scores[:, 0] = -torch.inf
        for row in range(len(histories)):
            scores[row, histories.row(row)[-1] % N_ITEMS + 1] = 50.0
        return scores


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5), st.integers(1, 3), st.integers(1, 4))
def test_items_are_drawn_by_the_teacher_and_lists_leave_out_what_is_known(
    lengths: list[int], n_variants: int, length: int
) -> None:
    rows = [list(range(1, n + 1)) for n in lengths]
    config = ImagineConfig(n_variants, length, top_k=3)
    futures = imagine(Follower(), Sequences.from_lists(rows), config, seed=0)
    for user, row in enumerate(rows):
        if not row:
            assert not futures.items[:, user].any()
            assert not futures.lists[:, user].any()
            continue
        expected = [(row[-1] + i) % N_ITEMS + 1 for i in range(length)]
        for variant in range(n_variants):
            assert futures.items[variant, user].tolist() == expected
            assert futures.lists[variant, user, :, 0].tolist() == expected
            for place in range(length):
                known = set(row) | set(expected[:place])
                assert not known & set(futures.lists[variant, user, place].tolist())
    assert (futures.logits[:, [n > 0 for n in lengths], :, 0] > -0.01).all()


class Reader(Follower):
    """The same, and reads a whole history in one forward."""

    def score_positions(self, train: Sequences):
        rows, positions = train.keys()
        for start in range(0, len(rows), 4):
            part = slice(start, start + 4)
            later = positions[part] > 0
            users, places = rows[part][later], positions[part][later]
            prefixes = [train.row(u)[:p] for u, p in zip(users, places, strict=True)]
            if prefixes:
                yield SimpleNamespace(
                    users=users, positions=places, scores=self.score(Sequences.from_lists(prefixes))
                )


@pytest.mark.parametrize("n_members", [1, 2])
def test_whoever_reads_whole_histories_says_the_same_in_one_go(n_members: int) -> None:
    train = Sequences.from_lists([[1, 2, 3], [], [5], [7, 8]])
    config = ImagineConfig(2, 3, top_k=4)
    slow = LogLinearPool([Follower()] * n_members, [0.5] * n_members, "c")
    fast = LogLinearPool([Reader()] + [Follower()] * (n_members - 1), [0.5] * n_members, "c")
    one = imagine(slow, train, config, seed=0)
    two = imagine(fast, train, config, seed=0, drawn_by=slow)
    assert torch.equal(one.items, two.items)
    assert torch.equal(one.lists, two.lists)
    assert torch.allclose(one.logits, two.logits, atol=1e-2)


def test_the_same_seed_imagines_the_same_and_variants_differ() -> None:
    flat = SimpleNamespace(
        catalog_digest="c", score=lambda h: torch.zeros(len(h), N_ITEMS + 1).index_fill_(
            1, torch.tensor(0), -torch.inf)
    )  # fmt: skip
    train = Sequences.from_lists([[1, 2], [3], [4, 5]])
    one, same, other = (imagine(flat, train, ImagineConfig(2, 5), seed=s) for s in (0, 0, 1))
    assert torch.equal(one.items, same.items)
    assert not torch.equal(one.items, other.items)
    assert not torch.equal(one.items[0], one.items[1])


def test_futures_come_back_from_disk_and_refuse_other_data(walks, tmp_path) -> None:
    config = ImagineConfig(2, 3, top_k=4)

    class Flat:
        catalog_digest = walks.catalog.digest

        def score(self, histories: Sequences) -> torch.Tensor:
            return torch.arange(31.0).repeat(len(histories), 1)

    made = imagine(Flat(), walks.train, config, seed=0)
    made.save(tmp_path / "futures", walks)
    read = Futures.load(tmp_path / "futures", walks, weight=3.0)
    for name in ("items", "lists", "logits"):
        assert torch.equal(getattr(made, name), getattr(read, name))
    lesson = read.at(5, torch.tensor([4]), torch.tensor([2]))
    assert torch.equal(lesson.items[0], made.lists[1, 4, 2].long())
    assert lesson.weights.tolist() == [3.0]
    other = SimpleNamespace(catalog=walks.catalog, split_digest="another")
    with pytest.raises(UserError, match="imagined on other data"):
        Futures.load(tmp_path / "futures", other)
    with pytest.raises(UserError, match="no imagined futures"):
        Futures.load(tmp_path, walks)


@pytest.mark.parametrize(
    "wrong", [{"n_variants": 0}, {"length": 0}, {"top_k": 0}, {"temperature": 0.0}]
)
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        ImagineConfig(**wrong)


def test_long_lists_end_where_the_catalog_does() -> None:
    train = Sequences.from_lists([np.arange(1, 11)])
    futures = imagine(Follower(), train, ImagineConfig(1, 2, top_k=20), seed=0)
    assert futures.lists[0, 0, 0].tolist() == [11, 12] + [0] * 18
    assert futures.lists[0, 0, 1].tolist() == [12] + [0] * 19
