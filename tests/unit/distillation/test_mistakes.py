"""The mistakes do what they say, so that the ladder measures what it names."""

import pytest
import torch

from recdistill.distillation import (
    MISTAKES,
    Ranking,
    RankingConfig,
    Teaching,
    TermConfigs,
    distil_student,
)
from recdistill.distillation._distil_student import assemble
from recdistill.distillation._terms import Answer
from recdistill.distillation.mistakes import (
    FaultyObjective,
    InvertedConfidence,
    MistakeInjector,
    PositivesOnly,
    WrongIndex,
    distil_with_mistake,
)
from recdistill.students import SASRec, StudentConfig
from recdistill.training import FitConfig, LossAlone, Softmax, StudentRecipe
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


def test_coupled_l2_adds_decay_times_the_weights_to_the_gradient(walks):
    model, step = student(), one_step(walks)
    objective = LossAlone(Softmax())
    total, _ = FaultyObjective(objective, model, l2=0.1)(step, 0.0)  # type: ignore[arg-type]
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


RECIPE = StudentRecipe(
    StudentConfig(dim=8, n_heads=1, n_blocks=1, max_length=10, dropout=0.0),
    loop=FitConfig(max_epochs=1, tokens_per_batch=200, device="cpu"),
)


def test_no_mistake_changes_nothing(lessons, walks):
    teaching = Teaching(lessons, {"listwise": 1.0, "ranking": 0.5})
    sound = MistakeInjector("none", 0)
    assembly = assemble(RECIPE, teaching, walks, seed=0)
    assert sound.assembly(assembly) is assembly


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_trains_another_student_and_leaves_what_it_was_given(
    mistake, lessons, walks, tmp_path
):
    teaching = Teaching(lessons, {"listwise": 1.0, "ranking": 0.5})
    before = lessons.items.clone()
    losses: dict[str, float] = {}
    for made in ("none", mistake):
        distil_with_mistake(
            made,
            RECIPE,
            teaching,
            walks,
            seed=0,
            log=lambda metrics, _, made=made: losses.setdefault(made, metrics["train/loss"]),
            checkpoint_folder=tmp_path / made,
        )
    assert losses["none"] != losses[mistake]
    assert torch.equal(lessons.items, before)


def test_the_published_ranking_trains_on_real_steps(lessons, walks, tmp_path):
    terms = TermConfigs(ranking=RankingConfig(variant="reference_code", dros=0.5))
    losses: dict[str, float] = {}
    for name, weight in (("off", 0.0), ("on", 0.5)):
        teaching = Teaching(lessons, {"ranking": weight}, terms)
        distil_student(
            RECIPE,
            teaching,
            walks,
            seed=0,
            log=lambda metrics, _, name=name: losses.setdefault(name, metrics["val/ndcg_at_10"]),
            checkpoint_folder=tmp_path / name,
        )
    assert losses["on"] != losses["off"]
