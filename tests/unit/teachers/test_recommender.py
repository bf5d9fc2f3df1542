from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.evaluation import Recommender
from recdistill.teachers import TeacherRecommender

from .conftest import N_ITEMS, make_network

NETWORK = make_network(prompt="hybrid")
TEACHER = TeacherRecommender(NETWORK, "digest", n_tokens=40)
ROWS = st.lists(st.lists(st.integers(1, N_ITEMS), max_size=12), min_size=1, max_size=5)


def test_it_is_a_recommender() -> None:
    assert isinstance(TEACHER, Recommender)


@settings(max_examples=25, deadline=None)
@given(ROWS)
def test_a_row_scores_the_same_alone_and_in_company(rows: list[list[int]]) -> None:
    together = TEACHER.score(Sequences.from_lists(rows))
    for i, row in enumerate(rows):
        alone = TEACHER.score(Sequences.from_lists([row]))
        torch.testing.assert_close(together[i : i + 1], alone)
    assert (together[:, 0] == -torch.inf).all()
    assert torch.isfinite(together[:, 1:]).all()


def test_only_the_newest_items_count() -> None:
    long = list(range(1, 13))
    got = TEACHER.score(Sequences.from_lists([long]))
    torch.testing.assert_close(got, TEACHER.score(Sequences.from_lists([long[-8:]])))


def test_scoring_all_positions_at_once_equals_scoring_each_prefix() -> None:
    histories = Sequences.from_lists([[3, 1, 4, 1, 5, 9, 2], [6], [], [5, 3]])
    got: dict[tuple[int, int], torch.Tensor] = {}
    for part in TEACHER.score_positions(histories):
        for user, position, scores in zip(part.users, part.positions, part.scores, strict=True):
            got[int(user), int(position)] = scores
    assert sorted(got) == [(0, p) for p in range(1, 7)] + [(3, 1)]
    for (user, position), scores in got.items():
        prefix = Sequences.from_lists([histories.row(user)[:position].tolist()])
        torch.testing.assert_close(scores[None], TEACHER.score(prefix))


def test_long_histories_are_scored_from_recent_items_at_every_position() -> None:
    row = (np.arange(30) % N_ITEMS + 1).tolist()
    parts = list(TEACHER.score_positions(Sequences.from_lists([row])))
    positions = np.concatenate([part.positions for part in parts])
    assert sorted(positions.tolist()) == list(range(1, 30))


def test_scoring_leaves_no_gate_and_no_gradient_behind() -> None:
    scores = TEACHER.score(Sequences.from_lists([[1, 2]]))
    assert not scores.requires_grad
    assert NETWORK.gate._expanded is None
