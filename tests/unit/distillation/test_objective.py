"""Zero weights are the baseline to the bit; terms teach, are logged, and share the pass."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recdistill.distillation import (
    Annealing,
    DistillationObjective,
    Futures,
    Ground,
    Lessons,
    ListwiseConfig,
    Teaching,
    TermConfigs,
    Weighted,
    build_term,
    distil_student,
)
from recdistill.errors import UserError
from recdistill.students import SASRec, StudentConfig, StudentRecipe
from recdistill.training import (
    FitConfig,
    LossAlone,
    LossConfig,
    Softmax,
    Step,
    build_loss,
    fit,
    window_loader,
)


def student():
    torch.manual_seed(3)
    return SASRec(30, dim=8, n_blocks=1, max_length=20, dropout=0.2)


def counts(data):
    return np.bincount(data.train.items, minlength=data.catalog.n_items + 1)


def objective(data, lessons, weights, *, loss=None, annealing=None, tail="bucket", **more):
    configs = TermConfigs(listwise=ListwiseConfig(tail=tail))
    ground = Ground(lessons, torch.from_numpy(counts(data)))
    terms = [
        Weighted(build_term(n, configs, ground), w, annealing or Annealing())
        for n, w in weights.items()
    ]
    return DistillationObjective(loss or Softmax(), terms, lessons, **more)


def trained(data, what, folder, epochs=3):
    model, logged = student(), []
    fit(
        model,
        what,
        data,
        FitConfig(max_epochs=epochs, tokens_per_batch=200, patience=0),
        log=lambda metrics, epoch: logged.append(dict(metrics)),
        checkpoint_folder=folder,
        seed=5,
    )
    return model, logged


def one_step(data):
    model = student().eval()
    batch = next(iter(window_loader(data.train, max_length=20, tokens=300, seed=0)))
    real = batch.targets > 0
    states = model.encode(batch.items)[real].detach().requires_grad_()
    return Step(states, model.item_table(), batch.targets[real], batch)


@pytest.mark.parametrize("weights", [{}, {"ranking": 0.0, "listwise": 0.0, "dros": 0.0}])
def test_zero_weights_are_the_baseline_to_the_bit(walks, lessons, tmp_path, weights):
    plain, _ = trained(walks, Softmax(), tmp_path / "a")
    zero, _ = trained(walks, objective(walks, lessons, weights), tmp_path / "b")
    for one, other in zip(plain.parameters(), zero.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_term_changes_what_is_learned_and_is_logged(walks, lessons, tmp_path):
    plain, _ = trained(walks, Softmax(), tmp_path / "a")
    taught, logged = trained(
        walks,
        objective(walks, lessons, {"listwise": 1.0, "ranking": 0.5}, inspect_every=2),
        tmp_path / "b",
    )
    assert not torch.equal(plain.item_table(), taught.item_table())
    assert logged[-1]["train/loss_listwise"] < logged[0]["train/loss_listwise"]
    for name in ("loss", "loss_ranking", "weight_listwise", "gradient_listwise", "gradient_base"):
        assert logged[0][f"train/{name}"] > 0
    assert logged[0]["train/weight_ranking"] == 0.5


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_the_shared_pass_gives_the_base_loss_its_own_value_and_gradient(
    walks, lessons, label_smoothing
):
    loss, step = Softmax(label_smoothing), one_step(walks)
    expected, _ = LossAlone(loss)(step, 0.0)
    wanted = torch.autograd.grad(expected, step.states)[0]
    # A term whose rows all weigh nothing adds nothing, but takes the shared pass.
    silent = lessons.weighted(torch.zeros(len(lessons.weights)))
    total, means = objective(walks, silent, {"listwise": 1.0}, loss=loss)(step, 0.0)
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
    assert float(means["loss"]) == pytest.approx(expected.item(), rel=1e-5)
    found = torch.autograd.grad(total, step.states)[0]
    assert torch.allclose(found, wanted, atol=1e-7)


def test_terms_ride_on_other_base_losses_too(walks, lessons):
    step = one_step(walks)
    loss = build_loss(LossConfig("bce", n_negatives=1), counts(walks))
    total, means = objective(walks, lessons, {"listwise": 2.0}, loss=loss)(step, 0.0)
    parts = float(means["loss"].detach()) + 2.0 * float(means["loss_listwise"])
    assert total.item() == pytest.approx(parts, rel=1e-5)


def test_measuring_gradients_changes_nothing(walks, lessons, tmp_path):
    weights = {"ranking": 0.5}
    often, _ = trained(walks, objective(walks, lessons, weights, inspect_every=1), tmp_path / "a")
    never, _ = trained(walks, objective(walks, lessons, weights, inspect_every=0), tmp_path / "b")
    assert torch.equal(often.item_table(), never.item_table())


def test_an_annealed_term_ends_as_the_base_loss_alone(walks, lessons):
    step = one_step(walks)
    annealed = objective(walks, lessons, {"listwise": 1.0}, annealing=Annealing("linear"))
    at_the_end, means = annealed(step, 1.0)
    assert at_the_end.item() == LossAlone(Softmax())(step, 1.0)[0].item()
    assert "loss_listwise" not in means
    assert annealed.epoch_metrics()["train/weight_listwise"] == 0.0


@pytest.mark.parametrize("shape", ["constant", "linear", "cosine"])
def test_annealing_warms_up_and_ends_where_it_says(shape):
    annealing = Annealing(shape, warmup=0.2, final=0.25)
    shares = [annealing.share(p) for p in np.linspace(0, 1, 101)]
    assert shares[0] == 0
    assert max(shares) == pytest.approx(1)
    assert shares[-1] == pytest.approx(1 if shape == "constant" else 0.25)
    with pytest.raises(UserError, match="shape"):
        Annealing("square")  # type: ignore[arg-type]


def imagined(data, weight=1.0):
    """A teacher sure that everybody takes one step at a time."""
    n_variants, length = 2, 3
    newest = data.train.items[data.train.offsets[1:] - 1]
    steps = np.arange(1, length + 1)
    items = torch.from_numpy(((newest[:, None] + steps - 1) % 30 + 1).astype(np.int32))
    lists = items[None, :, :, None].repeat(n_variants, 1, 1, 1)
    return Futures(lists[..., 0], lists, torch.zeros(lists.shape), weight)


def step_with_tails(data, futures):
    model = student().eval()
    tails = futures.items.numpy()
    loader = window_loader(data.train, max_length=40, tokens=300, seed=0, tails=tails)
    batch = next(iter(loader))
    real = batch.targets > 0
    model.max_length = 40
    states = torch.randn(int(real.sum()), 8, generator=torch.Generator().manual_seed(0))
    return Step(states.requires_grad_(), model.item_table(), batch.targets[real], batch)


@pytest.mark.parametrize("kind", ["softmax", "bce"])
def test_imagined_targets_are_the_terms_alone(walks, lessons, kind):
    loss = Softmax(0.1) if kind == "softmax" else build_loss(LossConfig("bce"), counts(walks))
    futures = imagined(walks, weight=2.0)
    step = step_with_tails(walks, futures)
    rows, positions = step.batch.target_keys()
    real = positions < torch.from_numpy(walks.train.lengths)[rows]
    assert 0 < int(real.sum()) < len(real)
    torch.manual_seed(0)
    base = loss(step.states[real], step.table, step.targets[real])
    torch.manual_seed(0)
    total, means = objective(
        walks, lessons, {"listwise": 0.5},
        loss=loss, futures=futures, inspect_every=0, tail="empty",
    )(step, 0.0)  # fmt: skip
    # By hand: real rows by their lessons, imagined ones by the certain teacher, weight 2.
    log_q = (step.states @ step.table[1:].T).log_softmax(1)
    said = lessons.at(rows[real], positions[real])
    p = said.probabilities(1.0)
    mine = torch.xlogy(p, p) - p * log_q[real].gather(1, (said.items - 1).clamp(min=0))
    ahead = -log_q[~real].gather(1, step.targets[~real].long()[:, None] - 1)
    term = ((mine.sum(1) * said.weights).sum() + 2.0 * ahead.sum()) / real.sum()
    assert float(means["loss_listwise"].detach()) == pytest.approx(float(term), rel=1e-4)
    assert float(means["loss"].detach()) == pytest.approx(float(base), rel=1e-4)
    assert total.item() == pytest.approx(float(base + 0.5 * term), rel=1e-4)


def test_futures_are_learned(walks, tmp_path):
    futures = imagined(walks, weight=5.0)
    teaching = Teaching(Lessons.none(walks.train), {"listwise": 1.0}, futures=futures)
    recipe = StudentRecipe(
        StudentConfig(dim=8, n_blocks=1, max_length=20, dropout=0.0),
        LossConfig(),
        FitConfig(max_epochs=20, tokens_per_batch=200, patience=0),
    )

    def ahead(taught):
        fitted = distil_student(recipe, taught, walks, seed=0)
        scores = fitted.recommender.score(walks.train)
        return float((scores.argmax(1) == futures.items[0, :, 0]).float().mean())

    alone = ahead(Teaching(Lessons.none(walks.train)))
    assert ahead(teaching) > alone + 0.2
    assert ahead(replace(teaching, weights={"listwise": 0.0})) == alone, "nothing is appended"
