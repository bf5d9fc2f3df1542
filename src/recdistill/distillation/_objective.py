"""The whole objective of a distilled student: base loss, terms, their schedules and their log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from recdistill.distillation._catalog_pass import Asked, catalog_pass
from recdistill.distillation._schedule import Annealing
from recdistill.training import Softmax

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from recdistill.distillation._terms import Term
    from recdistill.lessons._lessons import Lessons
    from recdistill.training import Loss, Step


@dataclass(frozen=True)
class Weighted:
    """A term, its full weight, and how that is annealed."""

    term: Term
    weight: float
    annealing: Annealing = field(default_factory=Annealing)

    def at(self, progress: float) -> float:
        """Return the weight at this share of the planned steps."""
        return self.weight * self.annealing.share(progress)


class DistillationObjective:
    """Base loss plus weighted terms over a teacher's lessons.

    A full-softmax base loss and the terms share one pass over the catalog. Other base losses are
    computed on their own and the terms add a pass. While every weight is zero the base loss is
    called as the baseline calls it, so nothing differs, to the bit.

    Parameters
    ----------
    loss : Loss
    terms : sequence of Weighted
    lessons : Lessons
    loss_weight : float
        Weight of the base loss.
    inspect_every : int
        Steps between two measurements of each term's gradient norm; 0 never measures.
    """

    def __init__(
        self,
        loss: Loss,
        terms: Sequence[Weighted],
        lessons: Lessons,
        *,
        loss_weight: float = 1.0,
        inspect_every: int = 50,
    ) -> None:
        self.loss, self.terms, self.lessons = loss, terms, lessons
        self.loss_weight, self.inspect_every = loss_weight, inspect_every
        self._n_steps = 0
        self._norms: dict[str, list[float]] = {}
        self._weights: dict[str, float] = {}

    def __call__(self, step: Step, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total to minimise and what to log, each a mean over the step's targets.

        Parameters
        ----------
        step : Step
        progress : float
            Share (0 to 1) of the planned steps.
        """
        weights = {w.term.name: w.at(progress) for w in self.terms}
        self._weights = weights | {"base": self.loss_weight}
        active = [w for w in self.terms if weights[w.term.name]]
        if not active:
            loss = self.loss(step.states, step.table, step.targets, step.rows)
            return loss if self.loss_weight == 1 else self.loss_weight * loss, {"loss": loss}
        asked = self._ask(active, weights, step)
        self._inspect(step, asked)
        shared = isinstance(self.loss, Softmax)
        n = len(step.targets)
        share = self.loss_weight / n if shared else 0.0
        total, log_sum, values = catalog_pass(
            step.states, step.table, step.states.new_full((n,), share), asked
        )
        if isinstance(self.loss, Softmax):
            wanted = _wanted(step, self.loss.label_smoothing)
            total = total - self.loss_weight * wanted
            loss = (log_sum / self.loss_weight if self.loss_weight else log_sum) - wanted.detach()
        else:
            loss = self.loss(step.states, step.table, step.targets, step.rows)
            total = total + self.loss_weight * loss
        logged = {f"loss_{a.term.name}": v for a, v in zip(asked, values, strict=True)}
        return total, {"loss": loss} | logged

    def epoch_metrics(self) -> dict[str, float]:
        """Weights at the epoch's last step and mean gradient norms since the last call.

        ``train/weight_<term>``, and ``train/gradient_<term>``: the norm of the weighted term's
        gradient with respect to the states and the item table together, ``base`` being the base
        loss. Who pulls how hard, measured where all terms meet.
        """
        metrics = {f"train/weight_{name}": weight for name, weight in self._weights.items()}
        metrics |= {f"train/gradient_{n}": sum(v) / len(v) for n, v in self._norms.items()}
        self._norms = {}
        return metrics

    def state(self) -> dict[str, int]:
        """Where the measuring of gradients stands; see ``training.Resumable``."""
        return {"n_steps": self._n_steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on measuring at the same steps as a fit that was never interrupted."""
        self._n_steps = state["n_steps"]

    def _ask(
        self, active: Sequence[Weighted], weights: dict[str, float], step: Step
    ) -> list[Asked]:
        lesson = self.lessons.at(*step.batch.target_keys())
        n_items = len(step.table) - 1
        return [
            Asked(w.term, w.term.ask(lesson, step.targets, n_items), weights[w.term.name])
            for w in active
        ]

    def _inspect(self, step: Step, asked: Sequence[Asked]) -> None:
        due = self.inspect_every and self._n_steps % self.inspect_every == 0
        self._n_steps += 1
        if not due:
            return
        with torch.random.fork_rng(), torch.enable_grad():
            states = step.states.detach().requires_grad_()
            table = step.table.detach().requires_grad_()
            nothing = states.new_zeros(len(states))
            values = {a.term.name: catalog_pass(states, table, nothing, [a])[0] for a in asked}
            values["base"] = self.loss_weight * self.loss(states, table, step.targets, step.rows)
            for name, value in values.items():
                gradients = torch.autograd.grad(value, [states, table])
                norm = torch.stack([g.float().norm() for g in gradients]).norm()
                self._norms.setdefault(name, []).append(float(norm))


def _wanted(step: Step, label_smoothing: float) -> Tensor:
    """Return the linear part of the cross-entropy, as ``training.Softmax`` takes it."""
    wanted = (step.states * F.embedding(step.targets, step.table)).sum() / len(step.targets)
    if label_smoothing:
        everything = step.states.mean(0) @ step.table[1:].mean(0)
        wanted = wanted.lerp(everything, label_smoothing)
    return wanted
