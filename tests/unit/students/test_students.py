"""The laws every student keeps, whatever its architecture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.students import SequentialModel, StudentConfig, build_student
from recdistill.training import score_histories

N_ITEMS = 40
MAX_LENGTH = 12
CONFIGS = {
    "sasrec": StudentConfig("sasrec", dim=16, n_heads=2, max_length=MAX_LENGTH),
    "gru4rec": StudentConfig("gru4rec", dim=16, n_blocks=2, max_length=MAX_LENGTH),
}
rows = st.lists(st.integers(1, N_ITEMS), min_size=1, max_size=MAX_LENGTH + 5)


def _student(kind: str) -> SequentialModel:
    model = build_student(CONFIGS[kind], N_ITEMS, seed=1)
    # Larger weights than at birth, so that a broken law shows; float64, so that rounding does not.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(8)
    return model.double().eval()


@pytest.fixture(scope="module", params=list(CONFIGS))
def student(request: pytest.FixtureRequest) -> SequentialModel:
    return _student(request.param)


@settings(max_examples=25, deadline=None)
@given(row=rows, padding=st.integers(0, 6))
def test_padding_never_changes_a_state(student: SequentialModel, row: list[int], padding: int):
    row = row[: MAX_LENGTH - padding] or row[:1]
    items = torch.tensor([row])
    padded = torch.nn.functional.pad(items, (0, padding))
    torch.testing.assert_close(student.encode(padded)[:, : len(row)], student.encode(items))


@settings(max_examples=25, deadline=None)
@given(row=rows, other=rows)
def test_states_do_not_depend_on_later_items(
    student: SequentialModel, row: list[int], other: list[int]
):
    row = row[:MAX_LENGTH]
    kept = len(row) // 2
    changed = row[:kept] + (other * MAX_LENGTH)[: len(row) - kept]
    before, after = student.encode(torch.tensor([row])), student.encode(torch.tensor([changed]))
    torch.testing.assert_close(before[:, :kept], after[:, :kept])
    if row[kept] != changed[kept]:
        assert not torch.allclose(before[:, kept], after[:, kept], atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(row=rows, others=st.lists(rows, max_size=5))
def test_the_same_history_scores_the_same_in_another_batch(
    student: SequentialModel, row: list[int], others: list[list[int]]
):
    alone = score_histories(student, Sequences.from_lists([row]))
    among = score_histories(student, Sequences.from_lists([*others, row]))
    torch.testing.assert_close(alone[0, 1:], among[-1, 1:])


def test_scores_are_states_times_the_table(student: SequentialModel):
    items = torch.tensor([[3, 7, 9, 1]])
    expected = student.encode(items)[0, -1] @ student.item_table().T
    scores = score_histories(student, Sequences.from_lists([[3, 7, 9, 1]]))
    assert scores.shape == (1, N_ITEMS + 1)
    assert scores[0, 0] == -torch.inf
    torch.testing.assert_close(scores[0, 1:], expected[1:].float())


@settings(max_examples=25, deadline=None)
@given(batch=st.lists(rows, min_size=1, max_size=5))
def test_the_newest_state_alone_equals_the_one_among_all(
    student: SequentialModel, batch: list[list[int]]
):
    histories = Sequences.from_lists(row[:MAX_LENGTH] for row in batch)
    items, lengths = torch.from_numpy(histories.padded()), torch.from_numpy(histories.lengths)
    expected = torch.stack([s[n - 1] for s, n in zip(student.encode(items), lengths, strict=True)])
    torch.testing.assert_close(student.encode_newest(items, lengths), expected)


def test_only_the_newest_items_of_a_long_history_count(student: SequentialModel):
    long = np.random.default_rng(0).integers(1, N_ITEMS + 1, 3 * MAX_LENGTH)
    scores = score_histories(
        student, Sequences.from_lists([long.tolist(), long[-MAX_LENGTH:].tolist()])
    )
    torch.testing.assert_close(scores[0], scores[1])


def test_a_user_without_history_gets_level_scores(student: SequentialModel):
    scores = score_histories(student, Sequences.from_lists([[], [4]]))
    assert scores[0, 1:].unique().tolist() == [0.0]
    assert len(scores[1, 1:].unique()) > 1


def test_scoring_keeps_the_training_mode(student: SequentialModel):
    student.train()
    score_histories(student, Sequences.from_lists([[1, 2]]))
    assert student.training
    student.eval()


def test_equal_seeds_give_equal_students_and_leave_the_generator_alone():
    before = torch.get_rng_state()
    a, b = (build_student(CONFIGS["sasrec"], N_ITEMS, seed=5) for _ in range(2))
    c = build_student(CONFIGS["sasrec"], N_ITEMS, seed=6)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a.item_table(), b.item_table())
    assert not torch.equal(a.item_table(), c.item_table())


@pytest.mark.parametrize(
    ("knobs", "word"),
    [
        ({"kind": "bert"}, "student.kind"),
        ({"dim": 10, "n_heads": 3}, "student.n_heads"),
        ({"dropout": 1.0}, "student.dropout"),
        ({"max_length": 0}, "student.max_length"),
    ],
)
def test_impossible_students_are_refused_in_a_sentence(knobs: dict[str, object], word: str):
    with pytest.raises(UserError, match=word):
        StudentConfig(**knobs)  # type: ignore[arg-type]
