"""The mistakes do what they say, so that the ladder measures what it names."""

import torch

from recdistill.distillation import Ranking, RankingConfig
from recdistill.distillation._mistakes import (
    InvertedConfidence,
    Meddled,
    PositivesOnly,
    Spoiler,
    WrongIndex,
    shuffled,
)
from recdistill.distillation._terms import Answer
from recdistill.students import SASRec
from recdistill.training import LossAlone, Softmax
from tests.unit.distillation.test_objective import one_step, student


def test_positives_only_is_satisfied_by_raising_everything(small):
    term = PositivesOnly(RankingConfig())
    sound = Ranking(RankingConfig())
    question = term.ask(small.lesson, small.targets, small.n_items)
    scores = small.logits().gather(1, (question.items - 1).clamp(min=0)).detach()
    catalog = small.logits().detach()

    def value(which, lift):
        answer = Answer(scores + lift, None, catalog + lift, 1.0)
        return (which.row_losses(answer, *question.given) * question.weights).sum().item()

    assert value(term, 5) < value(term, 0)
    assert value(term, 50) < 1e-6
    assert value(sound, 50) > value(sound, 0)


def test_inverted_confidence_weighs_the_surest_item_least(small):
    term = InvertedConfidence(RankingConfig())
    importance = term.ask(small.lesson, small.targets, small.n_items).given[0]
    assert (importance[2:].diff(dim=1) > 0).all()  # lists are sorted, best first


def test_shuffled_rows_move_between_positions(lessons):
    mixed = shuffled(lessons, seed=0)
    assert torch.equal(mixed.taught, lessons.taught)
    assert (mixed.items != lessons.items).any()
    rows, moved = (x.items.sort(0).values for x in (lessons, mixed))
    assert torch.equal(rows, moved)


def test_coupled_l2_adds_decay_times_the_weights_to_the_gradient(walks):
    model, step = student(), one_step(walks)
    objective = LossAlone(Softmax())
    total, _ = Meddled(objective, model, l2=0.1)(step, 0.0)  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(total, model.norm.weight)
    assert torch.allclose(gradient, 0.1 * model.norm.weight)


def test_wrong_index_reads_too_early_and_means_where_nothing_is_left():
    inner = SASRec(30, dim=8, n_blocks=1, max_length=6, dropout=0.0).eval()
    wrong = WrongIndex(inner).eval()
    items = torch.tensor([[4, 9, 2, 7, 1, 3]])
    right, found = inner.encode(items), wrong.encode(items)
    assert torch.equal(found[0, 5], right[0, 5])  # a full window is read right
    assert torch.equal(found[0, 4], right[0, 3])  # five of six: the newest is ignored
    swapped = wrong.encode(torch.tensor([[9, 4, 2, 7, 1, 3]]))
    assert torch.allclose(found[0, 1], swapped[0, 1], atol=1e-6)  # no order left
    assert not torch.allclose(right[0, 1], inner.encode(torch.tensor([[9, 4]]))[0, 1])


def test_no_mistake_changes_nothing(lessons, walks):
    sound = Spoiler("none", 0)
    model, term = student(), Ranking(RankingConfig())
    assert sound.lessons(lessons) is lessons
    assert sound.term(term) is term
    assert sound.student(model) is model
    assert sound.objective(term, model, 0.1) is term  # type: ignore[arg-type]
