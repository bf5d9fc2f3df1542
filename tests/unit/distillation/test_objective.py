"""Zero weights are the baseline to the bit; terms teach, are logged, and share the pass."""

import numpy as np
import pytest
import torch

from recdistill.distillation import (
    Annealing,
    DistillationObjective,
    TermConfigs,
    TermInputs,
    build_term,
)
from recdistill.distillation._objective import Weighted
from recdistill.errors import UserError
from recdistill.students import SASRec
from recdistill.training import FitConfig, LossAlone, LossConfig, Softmax, Step, build_loss, fit
from recdistill.training._batches import window_loader


def student():
    torch.manual_seed(3)
    return SASRec(30, dim=8, n_blocks=1, max_length=20, dropout=0.2)


def counts(data):
    return np.bincount(data.train.items, minlength=data.catalog.n_items + 1)


def objective(data, lessons, weights, *, loss=None, annealing=None, **more):
    inputs = TermInputs(lessons, torch.from_numpy(counts(data)))
    terms = [
        Weighted(build_term(n, TermConfigs(), inputs), w, annealing or Annealing())
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
