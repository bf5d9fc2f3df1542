"""Making one model of an experiment: the same steps as the stages, from settings and a seed."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from benchmarks import language
from benchmarks.distillation.settings import ON_VIEWS, POOL, STUDENT
from projects import distill, train_baseline
from recdistill.config import parse
from recdistill.distillation import StudentChanges, Teaching, distil_student
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.lessons import (
    Lessons,
    Pool,
    draw_views,
    label_views,
    load_transfer_set,
    save_transfer_set,
    weigh,
)
from recdistill.students import load_model, save_model
from recdistill.training import fit_student

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from benchmarks.distillation.settings import Setting, Words
    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.texts import ItemVectors
    from recdistill.training import FittedStudent, StudentRecipe

    Chosen = dict[str, Words]

Figures = dict[str, Any]


def member_seed(seed: int, place: int) -> int:
    """Return the seed of a pool's network: no other model of the experiment has it.

    Examples
    --------
    >>> member_seed(0, 1), member_seed(7, 0)
    (101, 800)
    """
    return 100 * (seed + 1) + place


@dataclass
class Workshop:
    """Makes the models of one seed.

    Parameters
    ----------
    data : PreparedData
    setting : Setting
    chosen : dict of words by recipe
        Settings of every recipe; a pool's networks are trained by those of their kind.
    folder : Path
        Of this data and seed; what an interrupted run had done lies here.
    seed : int
    """

    data: PreparedData
    setting: Setting
    chosen: Chosen
    folder: Path
    seed: int

    def make(self, name: str) -> tuple[Recommender, Figures]:
        """Make the model of a recipe, or the pool, and say how."""
        began = time.process_time()
        model: Recommender
        if name == POOL:
            model, facts = self._pool()
        else:
            kind = self.setting.recipes[name].kind
            model, facts = {
                "network": self._network,
                "counts": self._counts,
                "on_views": self._on_views,
                "student": self._student,
            }[kind](name)
        facts["cpu_seconds"] = round(time.process_time() - began)
        return model, {"words": list(self.chosen.get(name, ()))} | facts

    def _checkpoints(self, name: str) -> Path:
        recipe, settings = self.setting.recipes[name], " ".join(self.chosen[name])
        if recipe.kind in ON_VIEWS:
            settings += f" on {self.setting.views.n_views} views"
            settings += f" after {' '.join(self.chosen[recipe.of])}"  # it may start from that
        return self.folder / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"

    def _config(self, name: str, seed: int, *more: str) -> train_baseline.Config:
        words = ["--dataset", self.data.dataset, "--preset", "full", "--seed", str(seed)]
        words += ["--model", self.setting.recipes[name].model, *self.chosen[name], *more]
        if self.setting.recipes[name].text:
            words.append("--student.item=id+text")
        return parse(train_baseline.Config, "train_baseline", words)

    def recipe(self, name: str, seed: int, *more: str) -> StudentRecipe:
        """Return how a network is trained, with these words on top."""
        config = self._config(name, seed, *more)
        return config.recipe(train_baseline.student_kind(config))

    def _network(self, name: str) -> tuple[Recommender, Figures]:
        return _told(self._fitted(name, self.seed, self._checkpoints(name)))

    def _fitted(self, name: str, seed: int, at: Path, *more: str) -> FittedStudent:
        recipe, texts = self.recipe(name, seed, *more), self._texts(name)
        return fit_student(recipe, self.data, seed=seed, vectors=texts, checkpoint_folder=at)

    def _texts(self, name: str) -> ItemVectors | None:
        arm = self.setting.recipes[name].text
        return language.vectors(language.ARMS[arm], self.data) if arm else None

    def _counts(self, name: str) -> tuple[Recommender, Figures]:
        kind = self.setting.recipes[name].model
        if kind not in FLOOR_KINDS:
            raise ValueError(f"{kind} is no floor")
        options = getattr(self._config(name, 0), kind)
        return fit_floor(kind, self.data.train, self.data.catalog, options), {}

    def _on_views(self, name: str) -> tuple[Recommender, Figures]:
        """Train on the same views as the student of this seed, without a word about them."""
        views = draw_views(self.data.train, self.setting.views, seed=self.seed).sequences
        config = self.distilling(name)
        baseline = self.recipe(self.setting.recipes[name].of, self.seed)
        changes = replace(
            StudentChanges(effort=config.effort).resolved(baseline, self.data.train),
            **{n: v for n, v in config.asked().items() if v is not None},
        )
        start = self._start(name, config)
        teaching = Teaching(Lessons.none(views), inspect_every=0, start=start)
        return self._distilled(name, changes, teaching)

    def _student(self, name: str) -> tuple[Recommender, Figures]:
        """Train on what this seed's pool says about this seed's views."""
        lessons, facts = self._lessons()
        config = self.distilling(name)
        baseline = self.recipe(self.setting.recipes[name].of, self.seed)
        changes = config.resolved(baseline, self.data.train, lessons.sequences)
        teaching = Teaching(
            lessons.shortened(config.top_k),
            config.term_weights(),
            config.term_configs(),
            config.annealing,
            loss_weight=1.0 if changes.loss_weight is None else changes.loss_weight,
            inspect_every=0,
            start=self._start(name, config),
        )
        model, more = self._distilled(name, changes, teaching)
        return model, facts | more

    def _start(self, name: str, config: distill.Config) -> dict[str, Tensor] | None:
        """Return the weights to start from: of this seed's baseline where the words ask for it."""
        if not config.warm_start:
            return None
        of = self.setting.recipes[name].of
        baseline = self._fitted(of, self.seed, self._checkpoints(of)).recommender
        return dict(baseline.model.state_dict())

    def distilling(self, name: str) -> distill.Config:
        """Return the settings of ``distill`` that were chosen for a recipe."""
        words = ["--dataset", self.data.dataset, "--preset", "full", *self.chosen[name]]
        return parse(distill.Config, "distill", words)

    def _distilled(
        self, name: str, changes: StudentChanges, teaching: Teaching
    ) -> tuple[Recommender, Figures]:
        recipe = changes.applied_to(self.recipe(self.setting.recipes[name].of, self.seed))
        recipe = replace(recipe, loop=replace(recipe.loop, validate_every=1))
        at = self._checkpoints(name)
        fitted = distil_student(
            recipe,
            teaching,
            self.data,
            seed=self.seed,
            vectors=self._texts(name),
            checkpoint_folder=at,
        )
        model, facts = _told(fitted)
        drawn: Figures = {"views_seed": self.seed, "n_views": self.setting.views.n_views}
        if teaching.start is not None:
            drawn["starts_from"] = list(self.chosen[self.setting.recipes[name].of])
        return model, {"changes": changes.asked()} | drawn | facts

    def _pool(self) -> tuple[Pool, Figures]:
        """Weigh this seed's members on validation."""
        members = [self.member(name, i) for i, name in enumerate(self.setting.members)]
        pool = weigh(members, self.data)
        weights = (round(w, 4) for w in pool.weights)
        return pool, {
            "weights": dict(zip(self.setting.members, weights, strict=True)),
            "member_words": {k: list(v) for k, v in self.setting.member_words.items()},
            "member_seeds": {
                name: member_seed(self.seed, i)
                for i, name in enumerate(self.setting.members)
                if name not in FLOOR_KINDS
            },
        }

    def member(self, name: str, place: int) -> Recommender:
        """Return a teacher of this seed's pool; a network is trained once and kept."""
        if name in FLOOR_KINDS:
            words = ["--dataset", self.data.dataset, "--preset", "full", "--model", name]
            config = parse(train_baseline.Config, "train_baseline", words)
            return fit_floor(name, self.data.train, self.data.catalog, getattr(config, name, None))
        folder = self.folder / f"member-{name}"
        if not (folder / "config.json").exists():
            seed = member_seed(self.seed, place)
            at = folder.with_name(f"{folder.name}-checkpoints")
            fitted = self._fitted(name, seed, at, *self.setting.member_words.get(name, ()))
            save_model(fitted.recommender, folder)
        return load_model(folder, self.data.catalog)

    def _lessons(self) -> tuple[Lessons, Figures]:
        """Ask this seed's pool about this seed's views, or find what it said."""
        pool, facts = self._pool()
        folder = self.folder / f"transfer-set-{self.setting.views.n_views}"
        if not (folder / "manifest.json").exists():
            views = draw_views(self.data.train, self.setting.views, seed=self.seed)
            made = label_views(pool, views, self.data, k=self.setting.top_k, seed=self.seed)
            save_transfer_set(made, folder, self.data)
        return load_transfer_set(folder, self.data), facts | {"taught_by": POOL, "for": STUDENT}


def _told(fitted: FittedStudent) -> tuple[Recommender, Figures]:
    best = fitted.result.best
    return fitted.recommender, {
        "val_ndcg_at_10": best["val/ndcg_at_10"],
        "best_epoch": best["epoch"],
        "n_epochs": fitted.result.n_epochs,
    }
