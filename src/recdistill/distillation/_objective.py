"""The whole objective of a distilled student: base loss, terms, their schedules and their log."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from recdistill.distillation._catalog_pass import Asked, catalog_pass
from recdistill.distillation._futures import mixed
from recdistill.distillation._schedule import Annealing
from recdistill.training import Softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from recdistill.distillation._futures import Futures
    from recdistill.distillation._lessons import Lesson, Lessons
    from recdistill.distillation._terms import Term
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

    Imagined targets, which lie behind the users' training items, are the terms' alone: nobody knows
    whether they will come true. Everything is a mean over the real targets, so that the terms'
    weights mean the same with and without imagined ones.

    Parameters
    ----------
    loss : Loss
    terms : sequence of Weighted
    lessons : Lessons
    loss_weight : float
        Weight of the base loss.
    inspect_every : int
        Steps between two measurements of each term's gradient norm; 0 never measures.
    futures : Futures, optional
        What the teacher says about the imagined targets.
    """

    def __init__(
        self,
        loss: Loss,
        terms: Sequence[Weighted],
        lessons: Lessons,
        *,
        loss_weight: float = 1.0,
        inspect_every: int = 50,
        futures: Futures | None = None,
    ) -> None:
        self.loss, self.terms, self.lessons, self.futures = loss, terms, lessons, futures
        self.loss_weight, self.inspect_every = loss_weight, inspect_every
        self._n_train = lessons.offsets.diff()
        self._n_steps = 0
        self._norms: dict[str, list[float]] = {}
        self._weights: dict[str, float] = {}

    def __call__(self, step: Step, progress: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total to minimise and what to log, each a mean over the step's real targets.

        Parameters
        ----------
        step : Step
        progress : float
            Share (0 to 1) of the planned steps.
        """
        weights = {w.term.name: w.at(progress) for w in self.terms}
        self._weights = weights | {"base": self.loss_weight}
        active = [w for w in self.terms if weights[w.term.name]]
        scene = self._scene(step)
        if not active:
            loss = scene.base(self.loss)
            return loss if self.loss_weight == 1 else self.loss_weight * loss, {"loss": loss}
        asked = self._ask(active, weights, scene)
        self._inspect(scene, asked)
        shared = isinstance(self.loss, Softmax)
        total, log_sum, values = catalog_pass(
            step.states, step.table, scene.shares(self.loss_weight if shared else 0.0), asked
        )
        if isinstance(self.loss, Softmax):
            wanted = scene.wanted(self.loss.label_smoothing)
            total = total - self.loss_weight * wanted
            loss = (log_sum / self.loss_weight if self.loss_weight else log_sum) - wanted.detach()
        else:
            loss = scene.base(self.loss)
            total = total + self.loss_weight * loss
        logged = {
            f"loss_{a.term.name}": v * scene.per_real for a, v in zip(asked, values, strict=True)
        }
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

    def _scene(self, step: Step) -> _Scene:
        if self.futures is None:
            return _Scene(step)
        rows, positions = step.batch.target_keys()
        ahead = positions - self._n_train.to(rows.device)[rows]
        return _Scene(step, real=ahead < 0, ahead=ahead)

    def _lesson(self, scene: _Scene) -> Lesson:
        rows, positions = scene.step.batch.target_keys()
        if self.futures is None or scene.real is None or scene.ahead is None:
            return self.lessons.at(rows, positions)
        real, imagined = scene.real, ~scene.real
        said = self.lessons.at(rows[real], positions[real])
        foreseen = self.futures.at(scene.step.batch.epoch, rows[imagined], scene.ahead[imagined])
        return mixed(said, foreseen, real)

    def _ask(
        self, active: Sequence[Weighted], weights: dict[str, float], scene: _Scene
    ) -> list[Asked]:
        lesson = self._lesson(scene)
        targets, n_items = scene.step.targets, len(scene.step.table) - 1
        return [
            Asked(
                w.term,
                w.term.ask(lesson, targets, n_items),
                weights[w.term.name] * scene.per_real,
            )
            for w in active
        ]

    def _inspect(self, scene: _Scene, asked: Sequence[Asked]) -> None:
        due = self.inspect_every and self._n_steps % self.inspect_every == 0
        self._n_steps += 1
        if not due:
            return
        with torch.random.fork_rng(), torch.enable_grad():
            states = scene.step.states.detach().requires_grad_()
            table = scene.step.table.detach().requires_grad_()
            nothing = states.new_zeros(len(states))
            values = {a.term.name: catalog_pass(states, table, nothing, [a])[0] for a in asked}
            again = replace(scene, step=replace(scene.step, states=states, table=table))
            values["base"] = self.loss_weight * again.base(self.loss)
            for name, value in values.items():
                gradients = torch.autograd.grad(value, [states, table])
                norm = torch.stack([g.float().norm() for g in gradients]).norm()
                self._norms.setdefault(name, []).append(float(norm))


@dataclass(frozen=True)
class _Scene:
    """A step, and which of its targets really happened.

    Attributes
    ----------
    step : Step
    real : bool tensor, shape [n_targets], or None where all are
    ahead : int64 tensor, shape [n_targets]
        Place of an imagined target behind the user's last training item, from 0; else negative.
    """

    step: Step
    real: Tensor | None = None
    ahead: Tensor | None = None

    @property
    def states(self) -> Tensor:
        """States of the real targets."""
        return self.step.states if self.real is None else self.step.states[self.real]

    @property
    def targets(self) -> Tensor:
        """The real targets."""
        return self.step.targets if self.real is None else self.step.targets[self.real]

    @property
    def per_real(self) -> float:
        """Turn a mean over all targets into a sum over all by the number of real ones."""
        return len(self.step.targets) / max(len(self.targets), 1)

    def base(self, loss: Loss) -> Tensor:
        """Return the base loss; nothing where a step has no real target."""
        if not len(self.targets):
            return self.step.states.sum() * 0 + self.step.table.sum() * 0
        return loss(self.states, self.step.table, self.targets)

    def shares(self, weight: float) -> Tensor:
        """Return each target's share of a weighted mean over the real ones, shape [n_targets]."""
        share = weight / max(len(self.targets), 1)
        shares = self.step.states.new_full((len(self.step.targets),), share)
        return shares if self.real is None else shares * self.real

    def wanted(self, label_smoothing: float) -> Tensor:
        """Return the linear part of the cross-entropy, as ``training.Softmax`` takes it."""
        states, targets, table = self.states, self.targets, self.step.table
        n_real = max(len(targets), 1)
        wanted = (states * F.embedding(targets, table)).sum() / n_real
        if label_smoothing:
            everything = (states.sum(0) / n_real) @ table[1:].mean(0)
            wanted = wanted.lerp(everything, label_smoothing)
        return wanted
