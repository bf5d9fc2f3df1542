"""The laws that every student keeps, whatever its architecture."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_model, save_model

from recdistill.lessons import score_every_position
from recdistill.students import (
    SequentialModel,
    StudentConfig,
    StudentRecommender,
    score_histories,
)
from recdistill.testing._histories import histories, states, stretch
from recdistill.training import Softmax

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Sequences

# Longer than most students under test read, so that truncation is met too.
_history = st.lists(st.integers(1, 10**6), min_size=1, max_size=40)

# Hypothesis minds one test run by several classes; that is what a suite is for.
_lawful = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors],
)


class StudentSuite:
    """Inherit this as ``class TestMine(StudentSuite)`` and say in ``student`` how to build one.

    Weights are moved far from their start, so that a broken law shows, and states are compared in
    double precision, so that rounding does not.
    """

    @abstractmethod
    def student(self) -> SequentialModel:
        """Return a fresh untrained student; small (forty items, twelve positions) runs in seconds.

        Called with torch's generator at the same seed, it returns the same weights.
        """

    @pytest.fixture(scope="class")
    @classmethod
    def model(cls) -> SequentialModel:
        """Return the student under test."""
        model = cls()._seeded(0)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
        return model.double().eval()

    def _seeded(self, seed: int) -> SequentialModel:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return self.student()

    @_lawful
    @given(history=_history, padding=st.integers(1, 6))
    def test_padding_never_changes_a_state(
        self, model: SequentialModel, history: list[int], padding: int
    ) -> None:
        row = _read(model, history[: max(1, model.max_length - padding)])
        padded = states(model, row, min(padding, model.max_length - len(row.items)))
        torch.testing.assert_close(padded[:, : len(row.items)], states(model, row))

    @_lawful
    @given(history=_history, at=st.floats(0, 1))
    def test_a_state_equals_the_one_its_prefix_gives_alone(
        self, model: SequentialModel, history: list[int], at: float
    ) -> None:
        row = _read(model, history)
        length = 1 + int(at * (len(row.items) - 1))
        alone = states(model, stretch(row, 0, length))
        torch.testing.assert_close(states(model, row)[:, :length], alone)

    @_lawful
    @given(history=_history, other=st.integers(1, 10**6))
    def test_a_state_knows_its_own_item(
        self, model: SequentialModel, history: list[int], other: int
    ) -> None:
        row = _read(model, history)
        changed = _read(model, [*row.items[:-1].tolist(), other])
        if changed.items[-1] != row.items[-1]:
            before, after = states(model, row)[0, -1], states(model, changed)[0, -1]
            assert not torch.allclose(before, after, atol=1e-6)

    @_lawful
    @given(several=st.lists(_history, min_size=1, max_size=5))
    def test_the_newest_state_alone_equals_the_one_among_all(
        self, model: SequentialModel, several: list[list[int]]
    ) -> None:
        if model.query_time != "none":
            pytest.skip("a student that reads times takes the newest state from among all")
        rows = histories(model, [history[: model.max_length] for history in several])
        items, lengths = torch.from_numpy(rows.padded()), torch.from_numpy(rows.lengths)
        every = model.encode(items)  # [batch, length, dim]
        newest = torch.stack([s[n - 1] for s, n in zip(every, lengths, strict=True)])
        torch.testing.assert_close(model.encode_newest(items, lengths), newest)

    @_lawful
    @given(history=_history, others=st.lists(_history, max_size=5))
    def test_a_history_scores_the_same_in_another_batch(
        self, model: SequentialModel, history: list[int], others: list[list[int]]
    ) -> None:
        among = score_histories(model, histories(model, [*others, history]))
        alone = score_histories(model, histories(model, [history]))
        torch.testing.assert_close(among[-1, 1:], alone[0, 1:])

    @_lawful
    @given(history=_history)
    def test_scoring_every_position_is_scoring_every_prefix(
        self, model: SequentialModel, history: list[int]
    ) -> None:
        row = _read(model, [1, *history])
        scores = score_every_position(_recommender(model), row)
        for n in range(1, len(row.items)):
            prefix = score_histories(model, stretch(row, 0, n))
            torch.testing.assert_close(scores[n, 1:].float(), prefix[0, 1:])

    @_lawful
    @given(several=st.lists(_history, min_size=1, max_size=5))
    def test_positions_of_several_histories_are_those_of_each(
        self, model: SequentialModel, several: list[list[int]]
    ) -> None:
        rows = [[1, *history][: model.max_length] for history in several] + [_long(model)]
        together = score_every_position(_recommender(model), histories(model, rows))
        alone = [score_every_position(_recommender(model), histories(model, [r])) for r in rows]
        torch.testing.assert_close(together, torch.cat(alone))

    def test_beyond_the_longest_history_a_position_is_read_with_half_of_it_or_more(
        self, model: SequentialModel
    ) -> None:
        longest = model.max_length
        row = histories(model, [_long(model)])
        scores = score_every_position(_recommender(model), row)
        for position in range(longest + 1, len(row.items)):
            read = torch.cat(
                [
                    score_histories(model, stretch(row, position - n, position))[:, 1:]
                    for n in range(longest // 2, longest + 1)
                ]
            )
            differences = (read - scores[position, 1:].float()).abs().amax(1)
            assert differences.min() < 1e-4

    def test_scores_are_states_times_the_table(self, model: SequentialModel) -> None:
        row = _read(model, [3, 7, 9, 1])
        scores = score_histories(model, row)
        expected = states(model, row)[0, -1] @ model.item_table().T
        assert scores.shape == (1, model.n_items + 1)
        assert scores[0, 0] == -torch.inf
        torch.testing.assert_close(scores[0, 1:], expected[1:].float())

    def test_of_a_long_history_only_the_newest_items_count(self, model: SequentialModel) -> None:
        row = histories(model, [_long(model)])
        scores = score_histories(model, row)
        torch.testing.assert_close(scores, score_histories(model, row.tail(model.max_length)))

    def test_a_user_without_history_gets_level_scores(self, model: SequentialModel) -> None:
        scores = score_histories(model, histories(model, [[], [1]]))
        assert set(scores[0, 1:].tolist()) == {0.0}
        assert len(set(scores[1, 1:].tolist())) > 1

    def test_scoring_draws_nothing_and_keeps_the_mode(self, model: SequentialModel) -> None:
        row = histories(model, [[1, 2]])
        model.train()
        try:
            first, second = score_histories(model, row), score_histories(model, row)
            assert torch.equal(first, second)
            assert model.training
        finally:
            model.eval()

    def test_gradients_reach_every_parameter(self) -> None:
        model = self._seeded(0).train()
        generator = torch.Generator().manual_seed(0)
        shape = (8, model.max_length + 1)
        items = torch.randint(1, model.n_items + 1, shape, generator=generator)
        after = states(model, histories(model, items[:, :-1].tolist())).flatten(0, 1)
        Softmax()(after, model.item_table(), items[:, 1:].flatten()).backward()  # type: ignore[no-untyped-call]
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                assert parameter.grad is not None, f"{name} takes no part in the loss"
                assert parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"
                assert parameter.grad.abs().max() > 0, f"the gradient of {name} is zero"

    def test_equal_seeds_give_equal_weights(self) -> None:
        one, same, other = (self._seeded(seed).state_dict() for seed in (5, 5, 6))
        assert all(torch.equal(one[name], same[name]) for name in one)
        assert any(not torch.equal(one[name], other[name]) for name in one)

    def test_saved_and_loaded_it_is_the_same(self, model: SequentialModel, tmp_path: Path) -> None:
        save_model(model, str(tmp_path / "weights.safetensors"))
        loaded = self._seeded(9).double().eval()
        load_model(loaded, str(tmp_path / "weights.safetensors"))
        row = _read(model, [5, 2, 8])
        assert torch.equal(states(loaded, row), states(model, row))
        assert torch.equal(loaded.item_table(), model.item_table())


def _read(model: SequentialModel, history: list[int]) -> Sequences:
    """Return one history of any numbers, no longer than the student reads."""
    return histories(model, [history[: model.max_length]])


def _long(model: SequentialModel) -> list[int]:
    random = np.random.default_rng(0)
    drawn: list[int] = random.integers(1, model.n_items + 1, 3 * model.max_length).tolist()
    return drawn


def _recommender(model: SequentialModel) -> StudentRecommender:
    return StudentRecommender(model, StudentConfig(), "catalog", "split")
