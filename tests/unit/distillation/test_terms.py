"""Every loss against plain arithmetic, and the reference variant against numbers worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.data import Sequences
from recdistill.distillation import (
    DROS,
    Answer,
    DROSConfig,
    Listwise,
    ListwiseConfig,
    Ranking,
    RankingConfig,
    ReferenceRanking,
    TermConfigs,
    TermInputs,
    build_term,
)
from recdistill.distillation._ranking import position_weights
from recdistill.distillation._registry import TERMS
from recdistill.errors import UserError
from recdistill.lessons import Lesson, Lessons

HISTORY = [6, 1]  # of the only user, who then takes item 5


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def lesson(items, logits, distance=0.0):
    return Lesson(
        torch.tensor([items]),
        torch.tensor([logits], dtype=torch.float64),
        torch.tensor([distance], dtype=torch.float64),
        torch.ones(1, dtype=torch.float64),
        torch.zeros(1, dtype=torch.int64),
        torch.tensor([len(HISTORY)]),
    )


def answer(catalog, items, temperature=None):
    """What a student with these scores of items 1..n says."""
    catalog = torch.tensor([catalog], dtype=torch.float64)
    scores = catalog[:, [max(i - 1, 0) for i in items]]
    normaliser = None if temperature is None else (catalog / temperature).logsumexp(1)
    return Answer(scores, normaliser, catalog, 1.0, catalog)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_listwise_without_tail_is_the_divergence_of_two_distributions(temperature):
    scores, listed = [0.3, -1.0, 2.0, 0.5], [3, 1]
    logits = [math.log(0.6), math.log(0.2)]
    term = Listwise(ListwiseConfig(temperature, "empty"))
    question = term.ask(lesson(listed, logits), torch.tensor([1]), 4)
    p = [0.6 ** (1 / temperature), 0.2 ** (1 / temperature)]
    p = [x / sum(p) for x in p]
    q = [math.exp(s / temperature) for s in scores]
    q = [x / sum(q) for x in q]
    expected = temperature**2 * sum(p[j] * math.log(p[j] / q[listed[j] - 1]) for j in range(2))
    found = term.row_losses(answer(scores, listed, temperature), *question.given)
    assert found.item() == pytest.approx(expected, rel=1e-12)


def test_listwise_with_tail_counts_what_is_outside_as_one_item():
    scores, listed = [0.3, -1.0, 2.0, 0.5], [3, 1]
    term = Listwise(ListwiseConfig(tail="bucket"))
    question = term.ask(lesson(listed, [math.log(0.6), math.log(0.3)]), torch.tensor([1]), 4)
    q = [math.exp(s) for s in scores]
    q = [x / sum(q) for x in q]
    buckets = [(0.6, q[2]), (0.3, q[0]), (0.1, q[1] + q[3])]
    expected = sum(p * math.log(p / x) for p, x in buckets)
    found = term.row_losses(answer(scores, listed, 1.0), *question.given)
    assert found.item() == pytest.approx(expected, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    scores=st.lists(st.floats(-8, 8), min_size=5, max_size=5),
    tail=st.sampled_from(["empty", "bucket"]),
    temperature=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_listwise_is_never_negative_and_zero_for_the_teacher_itself(scores, tail, temperature):
    probabilities = torch.tensor(scores, dtype=torch.float64).softmax(0)
    items = [2, 5, 1] if tail == "bucket" else [1, 2, 3, 4, 5]
    taught = lesson(items, [math.log(max(probabilities[i - 1], 1e-12)) for i in items])
    term = Listwise(ListwiseConfig(temperature, tail))
    question = term.ask(taught, torch.tensor([1]), 5)
    same = term.row_losses(answer(scores, items, temperature), *question.given)
    other = term.row_losses(answer([1.0, 0, 3, -2, 0], items, temperature), *question.given)
    assert other.item() >= -1e-9
    if temperature == 1 or tail == "empty":
        assert same.item() == pytest.approx(0, abs=1e-5)


def test_a_student_certain_of_the_list_gives_a_finite_tail_loss():
    term = Listwise(ListwiseConfig(tail="bucket"))
    question = term.ask(lesson([1, 2], [math.log(0.5), math.log(0.4)]), torch.tensor([1]), 3)
    scores = torch.tensor([[80.0, 80.0, -80.0]], requires_grad=True)
    said = Answer(scores[:, :2], scores.logsumexp(1), scores, 1.0)
    loss = term.row_losses(said, *(g.float() for g in question.given))
    (gradient,) = torch.autograd.grad(loss.sum(), scores)
    assert loss.isfinite().all()
    assert gradient.isfinite().all()


def ranking_by_hand(teacher, drawn, weights):
    up = sum(-w * math.log(sigmoid(s)) for w, s in zip(weights, teacher, strict=True))
    down = sum(-math.log(1 - sigmoid(s)) for s in drawn) / len(drawn)
    return up + sum(weights) * down


def test_ranking_by_hand():
    """Weights: position, the row's reliability over its mean, and agreement with the student."""
    config = RankingConfig(position=0.3, confidence=0.5, consistency=0.1, n_negatives=2)
    term = Ranking(config, mean_confidence=0.4)
    taught = lesson([3, 1], [-0.1, -1.0], distance=0.7)
    reliability = 0.5 * math.exp(-0.7) / 0.4
    position = [math.exp(-1) / (math.exp(-1) + math.exp(-2)), math.exp(-2)]
    position[1] = 1 - position[0]
    # Student: items 3 and 4 are its best two, so only item 3 of the list is agreed on.
    scores = [0.5, 0.1, 2.0, 1.0, -3.0, 0.0]
    weights = [0.3 * position[0] + reliability + 0.1, 0.3 * position[1] + reliability]
    torch.manual_seed(0)
    question = term.ask(taught, torch.tensor([6]), 6)
    items = question.items[0].tolist()
    drawn = [scores[i - 1] for i in items[2:] if i not in (3, 1, 6)]
    assert items[:2] == [3, 1]
    assert drawn, "the seed must draw a usable negative"
    # One row in four is asked for agreement and counts four times: over four equal rows, exact.
    one = answer(scores, items)
    four = Answer(one.scores.repeat(4, 1), None, one.catalog.repeat(4, 1), 1.0)
    given = [g.repeat(4, 1) for g in question.given]
    found = term.row_losses(four, *given).mean().item()
    assert found == pytest.approx(ranking_by_hand([2.0, 0.5], drawn, weights), rel=1e-6)


def test_negatives_never_repeat_the_target_or_the_list():
    term = Ranking(RankingConfig(n_negatives=64))
    question = term.ask(lesson([3, 1], [-0.1, -1.0]), torch.tensor([6]), 6)
    shares = question.given[2][0]
    drawn = question.items[0, 2:]
    assert shares.sum().item() == pytest.approx(1)
    assert set(drawn[shares > 0].tolist()) <= {2, 4, 5}


def test_an_unreliable_teacher_counts_less():
    term = Ranking(RankingConfig(position=0, consistency=0))
    sure = term.ask(lesson([1], [0.0], distance=0.0), torch.tensor([2]), 9).given[0]
    wrong = term.ask(lesson([1], [0.0], distance=3.0), torch.tensor([2]), 9).given[0]
    assert wrong.item() == pytest.approx(sure.item() * math.exp(-3))


def test_scores_beyond_any_sigmoid_stay_finite():
    term = Ranking(RankingConfig(n_negatives=1, consistency=0))
    question = term.ask(lesson([1], [0.0]), torch.tensor([2]), 50)
    scores = torch.full((1, 2), 400.0)
    scores[0, 0] = -400
    loss = term.row_losses(Answer(scores, None, scores, 1.0), *(g.float() for g in question.given))
    assert loss.isfinite().all()
    assert loss.item() > 400


def reference(n_items=6, **settings):
    counts = torch.tensor([0, *range(2, n_items + 2)])
    config = RankingConfig(variant="reference_code", **settings)
    history = Sequences.from_lists([[*HISTORY, 5]])
    return ReferenceRanking(config, DROSConfig(beta=2.0), counts, history)


@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_reference_code_by_hand(alpha):
    """Distances 1 and 2, student scores 0.2 and -0.4, one negative at 0.5; nothing agreed on."""
    term = reference(consistency=0.1, dros=alpha)
    given = term.ask(lesson([1, 2], [-1.0, -2.0]), torch.tensor([5]), 6).given
    confidence = [math.exp(-1), math.exp(-2)]
    confidence = [c / sum(confidence) for c in confidence]
    position = confidence  # ranks 1 and 2 happen to be the distances
    weights = [0.3 * p + 0.5 * c + 0.1 * 1e-8 for p, c in zip(position, confidence, strict=True)]
    weights = [w / sum(weights) for w in weights]
    scores = torch.tensor([[0.2, -0.4, 0.5]], dtype=torch.float64)
    catalog = torch.tensor([[0.2, -0.4, 0.5, 1.5, 2.0, 2.0]], dtype=torch.float64)
    popularity = [c / sum(range(3, 9)) for c in range(3, 9)]
    scale = [x**0.05 / 2 for x in popularity]
    squares = [math.exp(u * s * s) for u, s in zip(scale, catalog[0].tolist(), strict=True)]
    dros = [
        math.log(sum(squares) - squares[i] + math.exp(scale[i] * (s - 1) ** 2))
        for i, s in enumerate((0.2, -0.4))
    ]
    expected = sum(
        -w * (math.log(sigmoid(s)) + math.log(sigmoid(1 - 0.5))) + alpha * w * d
        for w, s, d in zip(weights, (0.2, -0.4), dros, strict=True)
    )
    found = term.row_losses(Answer(scores, None, catalog, 1.0, catalog), *given).item()
    assert found == pytest.approx(expected, rel=1e-6)


def test_reference_code_has_one_negative_outside_history_and_target():
    term = reference(dros=0.0)
    drawn = {
        int(term.ask(lesson([1, 2], [-1.0, -2.0]), torch.tensor([5]), 6).items[0, 2])
        for _ in range(60)
    }
    assert drawn == {2, 3, 4}  # 2 is listed, and may be drawn all the same


def test_reference_code_cannot_trust_a_row_less():
    term = reference()
    near = term.ask(lesson([1, 2], [-1.0, -2.0]), torch.tensor([5]), 6).given[0]
    far = term.ask(lesson([1, 2], [-101.0, -102.0]), torch.tensor([5]), 6).given[0]
    assert torch.allclose(near, far)


def test_dros_by_hand():
    counts = torch.tensor([0, 4, 1, 5])
    term = DROS(DROSConfig(beta=2.0, power=0.5), counts)
    scores, target = [0.5, -1.0, 1.5], 3
    scale = [math.sqrt((c + 1) / 13) / 2 for c in (4, 1, 5)]
    terms = [
        math.exp(u * ((s - 1) if i == target - 1 else s) ** 2)
        for i, (u, s) in enumerate(zip(scale, scores, strict=True))
    ]
    question = term.ask(lesson([1], [0.0]), torch.tensor([target]), 3)
    found = term.row_losses(answer(scores, [target]), *question.given).item()
    assert found == pytest.approx(math.log(sum(terms)), rel=1e-9)


def test_position_weights_fall_by_e_and_sum_to_one():
    weights = position_weights(5, 2.0)
    assert weights.sum().item() == pytest.approx(1)
    assert torch.allclose(weights[1:] / weights[:-1], torch.tensor(math.exp(-0.5)))


def test_terms_by_name():
    empty = Lessons(
        Sequences.from_lists([[1]]),
        torch.zeros(1, 2, dtype=torch.int32),
        torch.full((1, 2), -torch.inf),
        torch.zeros(1),
        torch.zeros(1),
    )
    inputs = TermInputs(empty, torch.ones(4))
    for name in TERMS:
        assert build_term(name, TermConfigs(), inputs).name == name
    with pytest.raises(UserError, match="no term 'hint'"):
        build_term("hint", TermConfigs(), inputs)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: ListwiseConfig(temperature=0), "temperature"),
        (lambda: ListwiseConfig(tail="long"), "tail"),  # type: ignore[arg-type]
        (lambda: RankingConfig(variant="mine"), "variant"),  # type: ignore[arg-type]
        (lambda: RankingConfig(n_negatives=0), "n_negatives"),
        (lambda: DROSConfig(beta=0), "beta"),
    ],
)
def test_impossible_settings_are_refused_in_a_sentence(build, sentence):
    with pytest.raises(UserError, match=sentence):
        build()
