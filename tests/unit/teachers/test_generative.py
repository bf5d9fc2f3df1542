from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.floors import fit_floor
from recdistill.teachers import (
    Choices,
    GenerateSettings,
    GenerativeTeacher,
    OptimizerSettings,
    TrainingSettings,
    choose_by_scores,
    draw_candidates,
    fit_generative,
)
from recdistill.teachers._candidates import read_answer

from .conftest import make_catalog, make_network, tiny_tokenizer

if TYPE_CHECKING:
    from recdistill.data import PreparedData

HISTORIES = Sequences.from_lists([[3, 7, 1], [9, 4]])
TARGETS = np.array([5, 2], np.int32)
CANDIDATES = draw_candidates(HISTORIES, TARGETS, 12, n_candidates=4)


@pytest.fixture(scope="module")
def teacher() -> GenerativeTeacher:
    return GenerativeTeacher(make_network(), tiny_tokenizer(), make_catalog(), n_history=4)


@given(
    st.lists(st.lists(st.integers(1, 30), max_size=8), min_size=1, max_size=5), st.integers(0, 9)
)
def test_candidates_hold_the_target_once_and_nothing_of_the_history(
    rows: list[list[int]], seed: int
) -> None:
    histories = Sequences.from_lists(rows)
    targets = np.arange(1, len(rows) + 1, dtype=np.int32)
    drawn = draw_candidates(histories, targets, 40, seed=seed)
    for row, target, candidates in zip(rows, targets, drawn, strict=True):
        assert len(set(candidates.tolist())) == 20
        assert target in candidates
        assert not set(candidates.tolist()) - {target} & set(row)
    np.testing.assert_array_equal(drawn, draw_candidates(histories, targets, 40, seed=seed))


def test_a_case_keeps_its_candidates_in_any_company() -> None:
    alone = draw_candidates(HISTORIES.take(np.array([0])), TARGETS[:1], 12, n_candidates=4)
    np.testing.assert_array_equal(alone[0], CANDIDATES[0])


def test_too_small_a_catalog_is_refused() -> None:
    with pytest.raises(UserError, match="lower n_candidates"):
        draw_candidates(HISTORIES, TARGETS, 12, n_candidates=11)


@pytest.mark.parametrize(
    ("answer", "want"),
    [
        ("Yes", 1),
        ("the band YES, surely", 1),
        ("Yesterday", 2),
        ("Yes or Air", 0),
        ("nothing", 0),
        ("", 0),
    ],
)
def test_an_answer_names_the_one_candidate_it_holds(answer: str, want: int) -> None:
    assert read_answer(answer, [1, 2, 3], ["Yes", "Yesterday", "Air"]) == want


def test_choices_count_over_all_and_over_valid() -> None:
    found = Choices(np.array([5, 0, 2, 7]), np.array([5, 1, 2, 8])).metrics()
    assert found["hr_at_1_all"] == 0.5
    assert found["hr_at_1_valid"] == pytest.approx(2 / 3)
    assert found["valid_ratio"] == 0.75
    assert found["hr_at_1_all"] == pytest.approx(found["hr_at_1_valid"] * found["valid_ratio"])
    assert found["hr_at_1_all_low"] < 0.5 < found["hr_at_1_all_high"]


def test_loss_is_that_of_the_answer_alone_whatever_the_company(teacher: GenerativeTeacher) -> None:
    prompts = teacher.write(HISTORIES, CANDIDATES, TARGETS)
    n_answer = prompts.answers.sum(1)
    with teacher.network.held_gate():
        together = teacher.loss(prompts)
        alone = [
            teacher.loss(
                teacher.write(
                    HISTORIES.take(np.array([i])), CANDIDATES[i : i + 1], TARGETS[i : i + 1]
                )
            )
            for i in range(2)
        ]
    want = (torch.stack(alone) * n_answer).sum() / n_answer.sum()
    torch.testing.assert_close(together, want, rtol=1e-4, atol=1e-5)


def test_gradients_reach_adapter_router_and_projector(teacher: GenerativeTeacher) -> None:
    network = teacher.network
    with network.held_gate():
        teacher.loss(teacher.write(HISTORIES, CANDIDATES, TARGETS)).backward()
    for name, p in network.trainable().items():
        if not name.startswith("head."):
            assert p.grad is not None, name
            assert p.grad.any(), name
    network.zero_grad()


def test_choosing_takes_the_most_likely_title(teacher: GenerativeTeacher) -> None:
    got = teacher.choose(HISTORIES, CANDIDATES, TARGETS)
    for case in range(2):
        losses = []
        for candidate in CANDIDATES[case]:
            prompts = teacher.write(
                HISTORIES.take(np.array([case])),
                CANDIDATES[case : case + 1],
                np.array([candidate]),
            )
            with teacher.network.held_gate(), torch.no_grad():
                losses.append(float(teacher.loss(prompts)) * int(prompts.answers.sum()))
        assert got.picked[case] == CANDIDATES[case][int(np.argmin(losses))]
    assert (got.picked > 0).all()


@pytest.mark.parametrize("kind", ["ilora", "lora"])
def test_writing_is_greedy_and_gives_one_choice_per_case(kind: str) -> None:
    network = make_network(adapter=kind)
    teacher = GenerativeTeacher(network, tiny_tokenizer(), make_catalog(), n_history=4)
    together = teacher.generate(HISTORIES, CANDIDATES, TARGETS)
    first = teacher.generate(HISTORIES.take(np.array([0])), CANDIDATES[:1], TARGETS[:1])
    assert together.picked[0] == first.picked[0]
    assert len(together.picked) == 2


def test_a_title_that_the_prompt_cuts_is_wanted_back_as_it_was_taught() -> None:
    teacher = GenerativeTeacher(make_network(), tiny_tokenizer(), make_catalog())
    cut = dataclasses.replace(teacher.network.settings.text, max_title_tokens=1)
    teacher.network.settings = dataclasses.replace(teacher.network.settings, text=cut)
    short = GenerativeTeacher(teacher.network, tiny_tokenizer(), make_catalog())
    changed = [i for i, name in enumerate(short.names) if name != teacher.titles[i]]
    assert changed, "no title was cut"
    for item in changed:
        taught = tiny_tokenizer().decode(short._titles[item])
        assert read_answer(taught, [item], [short.names[item]]) == item
        assert read_answer(taught, [item], [teacher.titles[item]]) == 0
    assert [teacher.names[i] for i in range(5)] == teacher.titles[:5]


def test_without_a_language_model_there_is_nothing_to_write() -> None:
    with pytest.raises(UserError, match="needs a language model"):
        GenerativeTeacher(make_network(adapter="head"), tiny_tokenizer(), make_catalog())


def test_training_makes_the_written_answer_likelier(prepared: PreparedData) -> None:
    network = make_network(move=False)
    teacher = GenerativeTeacher(network, tiny_tokenizer(), make_catalog(), n_history=4)
    how = GenerateSettings(n_history=4, n_candidates=3, n_steps=12, n_prompts=8, micro_batch=3)
    history = prepared.val.history.tail(4)
    candidates = draw_candidates(history, prepared.val.targets, 12, n_candidates=3)
    prompts = teacher.write(history, candidates, prepared.val.targets)

    def loss() -> float:
        with network.held_gate(), torch.no_grad():
            return float(teacher.loss(prompts))

    before, logged = loss(), []
    fit_generative(
        teacher,
        prepared,
        how,
        TrainingSettings(optimizer=OptimizerSettings(lr=0.02, head_lr=0.01), report_seconds=3600),
        log=lambda metrics, step: logged.append(step),
    )
    assert loss() < before - 0.05
    assert logged == [12]


def test_any_recommender_answers_the_same_question(prepared: PreparedData) -> None:
    floor = fit_floor("markov", prepared.train, prepared.catalog)
    candidates = draw_candidates(
        prepared.val.history.tail(4), prepared.val.targets, 12, n_candidates=4
    )
    found = choose_by_scores(floor, prepared.val, candidates).metrics()
    assert found["valid_ratio"] == 1
    assert found["hr_at_1_all"] > 0.5
