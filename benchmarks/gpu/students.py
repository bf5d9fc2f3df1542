"""Students on a device: their step, the passes it is made of, a whole fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.gpu.clock import PRECISIONS, autocast, peak_bytes, timed
from benchmarks.large_catalogs import drawn_data
from recdistill.distillation import Asked, Listwise, ListwiseConfig, catalog_pass
from recdistill.evaluation import evaluate
from recdistill.lessons import Lesson
from recdistill.students import STUDENT_KINDS, StudentConfig, StudentKind, build_student
from recdistill.training import (
    FitConfig,
    LossConfig,
    StudentRecipe,
    build_loss,
    fit_student,
    weighted_logsumexp,
)
from recdistill.training._candidate_softmax import candidate_cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from recdistill.students import SequentialModel
    from recdistill.training import Loss


@dataclass(frozen=True)
class StudentStep:
    """A student, its loss and one batch, on one device."""

    model: SequentialModel
    loss: Loss
    items: Tensor  # [n_windows, length]
    targets: Tensor  # [n_windows, length]


def step_of(
    kind: StudentKind,
    loss: LossConfig,
    config: StudentConfig,
    *,
    n_items: int,
    n_windows: int,
    device: torch.device,
) -> StudentStep:
    """Draw a student and a batch of full windows, the same ones on every device."""
    torch.manual_seed(0)
    shape = StudentConfig(**(vars(config) | {"kind": kind, "item_start": "random"}))
    model = build_student(shape, n_items, seed=0).to(device).train()
    items = torch.randint(1, n_items + 1, (n_windows, model.max_length + 1))
    items[0, model.max_length // 2 :] = 0  # padding, as real batches have it
    counts = np.bincount(items.flatten().numpy(), minlength=n_items + 1)
    batch = items.to(device)
    return StudentStep(model, build_loss(loss, counts), batch[:, :-1], batch[:, 1:])


def one_step(step: StudentStep, precision: str, optimizer: Any = None) -> float:
    """Make forward and backward pass, and the optimizer's step where there is one."""
    torch.manual_seed(1)  # dropout and draws
    device = step.items.device
    real = step.targets > 0
    rows = real.nonzero(as_tuple=True)[0]
    with autocast(device, precision):
        states = step.model.encode(step.items)[real]  # [n_targets, dim]
        value = step.loss(states, step.model.item_table(), step.targets[real], rows)
    step.model.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    if optimizer is not None:
        optimizer.step()
    return float(value.detach())


def student_steps(
    device: torch.device,
    *,
    config: StudentConfig = StudentConfig(),  # noqa: B008 (frozen)
    n_windows: int = 64,
    repeats: int = 10,
) -> dict[str, Any]:
    """Time every student's step in every precision: default size, a catalog of ML-1M's size."""
    found: dict[str, Any] = {}
    for kind in STUDENT_KINDS:
        for precision in PRECISIONS:
            step = step_of(
                kind, LossConfig(), config, n_items=3_416, n_windows=n_windows, device=device
            )
            optimizer = torch.optim.AdamW(step.model.parameters(), lr=1e-4, fused=True)

            def work(step: StudentStep = step, p: str = precision, o: Any = optimizer) -> float:
                return one_step(step, p, o)

            loss = work()
            n_targets = int((step.targets > 0).sum())
            found[f"{kind} {precision}"] = {
                "first_loss": loss,
                "targets_per_second": n_targets / timed(work, device, repeats),
                "peak_bytes": peak_bytes(work, device),
            }
    return found


def fused_passes(
    device: torch.device,
    precision: str,
    *,
    n_targets: int = 4_096,
    n_items: int = 20_000,
    dim: int = 64,
    repeats: int = 5,
) -> dict[str, dict[str, float]]:
    """Hold the passes with gradients of their own against plain ones in double precision.

    Returns
    -------
    dict of name to errors (relative, of the value and of the table's gradient) and seconds
    """
    torch.manual_seed(0)
    states, table = torch.randn(n_targets, dim), torch.randn(n_items + 1, dim) / dim**0.5
    targets = torch.randint(1, n_items + 1, (n_targets,))
    found = {}
    for name, (fused, plain) in _passes(n_targets, n_items, device).items():
        exact = _with_gradient(plain, states.double(), table.double(), targets)
        mine = [t.to(device) for t in (states, table, targets)]
        with autocast(device, precision):
            value, gradient = _with_gradient(fused, *mine)

            def work(fused: Any = fused, mine: Any = mine) -> object:
                return _with_gradient(fused, *mine)

            seconds = timed(work, device, repeats)
        off = (gradient.cpu().double() - exact[1]).norm() / exact[1].norm()
        found[name] = {
            "value_error": abs(float(value) / float(exact[0]) - 1),
            "gradient_error": float(off),
            "seconds": seconds,
        }
    return found


def _passes(n: int, n_items: int, device: torch.device) -> dict[str, tuple[Any, Any]]:
    random = torch.Generator().manual_seed(1)
    candidates = torch.randperm(n_items, generator=random)[: max(2, n_items // 20)] + 1
    first = torch.randint(n_items, (n, 1), generator=random)
    listed = (first + 7 * torch.arange(10)) % n_items + 1  # ten different items
    said = torch.randn(n, 10, generator=random).log_softmax(1) - 0.1
    term = Listwise(ListwiseConfig())

    def softmax(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        weights = states.new_full((len(states),), 1 / len(states), dtype=torch.float32)
        return weighted_logsumexp(states, table[1:], weights)

    def plain_softmax(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        return (states @ table[1:].T).logsumexp(1).mean()

    def drawn(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        at = candidates.to(states.device)
        wanted = (states * table[targets]).sum(1)
        zero = torch.zeros(1, len(at), device=states.device)
        group = torch.zeros_like(targets)
        absent = torch.full_like(targets, len(at))
        return candidate_cross_entropy(states, table[at], wanted, zero, group, absent)

    def plain_drawn(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        wanted = (states * table[targets]).sum(1, keepdim=True)
        scores = states @ table[candidates].T
        return (torch.cat([wanted, scores], 1).logsumexp(1) - wanted.squeeze(1)).mean()

    def lesson(like: Tensor) -> Lesson:
        ones = torch.ones(n, dtype=like.dtype, device=like.device)
        at = torch.arange(n, device=like.device)
        logits = said.to(like.device, like.dtype)
        return Lesson(listed.to(like.device), logits, ones, ones, at, torch.ones_like(at))

    def taught(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        question = term.ask(lesson(states), targets, n_items)
        weights = torch.full((n,), 1 / n, dtype=states.dtype, device=states.device)
        return catalog_pass(states, table, weights, [Asked(term, question, 0.5)])[0]

    return {
        "softmax": (softmax, plain_softmax),
        "drawn items": (drawn, plain_drawn),
        "softmax and a teacher's lists": (taught, taught),
    }


def _with_gradient(
    work: Any, states: Tensor, table: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    leaf = table.detach().clone().requires_grad_()
    value = work(states.detach().clone().requires_grad_(), leaf, targets)
    value.backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def whole_fit(
    device: torch.device, *, n_users: int = 3_000, n_items: int = 3_416
) -> dict[str, float]:
    """Fit a student by the shipped settings, evaluate it, and read both rates off."""
    data = drawn_data(n_users, n_items)
    rates: list[float] = []
    loop = FitConfig(max_epochs=2, validate_every=2, device=_named(device))
    recipe = StudentRecipe(StudentConfig(item_start="random"), LossConfig(), loop)
    fitted = fit_student(
        recipe, data, seed=0, log=lambda m, _: rates.append(m["train/targets_per_second"])
    )
    fitted.recommender.model.to(device)
    seconds = timed(
        lambda: evaluate(fitted.recommender, data.val, data.catalog, data.train), device, 1
    )
    return {
        "targets_per_second": rates[-1],
        "users_evaluated_per_second": len(data.val.targets) / seconds,
    }


def _named(device: torch.device) -> Any:
    return "cuda" if device.type == "cuda" else "cpu"
