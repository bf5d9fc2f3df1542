"""Teachers for the distillation benchmark: several members, each refitted without every fold."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks.baselines import settings
from recdistill.distillation import Lessons, collect_lessons, comparable, stack
from recdistill.floors import CounterConfig, EASEConfig, Floor, KNNConfig, fit_floor, user_folds
from recdistill.students import StudentRecommender, fit_student, load_model, save_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data import PreparedData, Sequences
    from recdistill.evaluation import Recommender

MEMBER_SEED = 100
NEWEST = 10  # training positions per user by which the members are weighed
USERS_WEIGHED = 450
FLOORS = {
    "ease": EASEConfig(l2=500, history=50, decay=0.85, prior=0.0001),
    "knn": KNNConfig(damping=0, decay=0.8, prior=0.0001),
    "counter": CounterConfig(prior=0.0001),
}


class Teachers:
    """Members fitted on all users but a fold, kept on disk, and what they say together.

    Parameters
    ----------
    data : PreparedData
    folder : Path
        Fitted networks and lessons are kept here and found again.
    n_folds : int
    epochs : int, int
        Of the networks that are fitted on all users, and without a fold.
    """

    def __init__(
        self, data: PreparedData, folder: Path, n_folds: int, epochs: tuple[int, int]
    ) -> None:
        self.data, self.folder, self.epochs = data, folder, epochs
        self.folds = user_folds(len(data.train), n_folds, 0)
        self.n_folds = n_folds

    def member(self, kind: str, fold: int) -> Recommender:
        """Fit one member on all users outside ``fold``; -1 leaves nobody out."""
        train = self.data.train
        others = train.take(np.flatnonzero(self.folds != fold)) if fold >= 0 else train
        if kind in FLOORS:
            return fit_floor(kind, others, self.data.catalog, FLOORS[kind])
        path = self.folder / f"{kind}-{MEMBER_SEED}-{self.n_folds}-{fold}"
        if not (path / "config.json").exists():
            print(f"  fitting {path.name}", flush=True)
            save_model(self._network(kind, replace(self.data, train=others), fold), path)
        return load_model(path, self.data.catalog)

    def _network(self, kind: str, data: PreparedData, fold: int) -> StudentRecommender:
        recipe = settings(data.dataset, kind, MEMBER_SEED).recipe(kind)
        max_epochs = self.epochs[fold >= 0]
        recipe = replace(recipe, loop=replace(recipe.loop, max_epochs=max_epochs))
        return fit_student(recipe, data, seed=MEMBER_SEED).recommender

    def terms(self, members: list[Recommender], users: NDArray[np.int64]) -> torch.Tensor:
        """Score all positions of some users, shape [members, n_positions, n_items + 1]."""
        train = self.data.train
        rows = []
        for member in members:
            scores = torch.cat([score_positions(member, train.row(u)) for u in users])
            rows.append(comparable(member, scores))
        return torch.stack(rows)

    def weigh(self, kinds: list[str]) -> tuple[tuple[float, ...], float]:
        """Weigh the members by the newest targets of users they never saw."""
        path = self.folder / f"weights-{'+'.join(kinds)}-{self.n_folds}.json"
        if path.exists():
            found = json.loads(path.read_text())
            return tuple(found["weights"]), found["loss"]
        terms, targets, hidden = [], [], []
        random = np.random.default_rng(0)
        for fold in range(self.n_folds):
            members = [self.member(kind, fold) for kind in kinds]
            held_out = np.flatnonzero((self.folds == fold) & (self.data.train.lengths > 1))
            for user in random.permutation(held_out)[: USERS_WEIGHED // self.n_folds]:
                items = torch.from_numpy(self.data.train.row(user).astype(np.int64))
                newest = range(max(1, len(items) - NEWEST), len(items))
                terms.append(self.terms(members, np.array([user]))[:, list(newest)])
                targets.append(items[list(newest)])
                for position in newest:
                    seen = torch.zeros(self.data.catalog.n_items + 1, dtype=torch.bool)
                    seen[items[:position]] = True
                    hidden.append(seen)
        weights, loss = stack(list(torch.cat(terms, 1)), torch.cat(targets), torch.stack(hidden))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"weights": weights, "loss": loss}))
        return weights, loss

    def lessons(self, kinds: list[str], k: int) -> Lessons:
        """Return the lists that the members, refitted without each user, give that user."""
        path = self.folder / f"lessons-{'+'.join(kinds)}-{self.n_folds}-{k}.safetensors"
        if not path.exists():
            print(f"  lessons of {'+'.join(kinds)}", flush=True)
            found = collect_lessons(self._scored(kinds), self.data.train, k=k)
            path.parent.mkdir(parents=True, exist_ok=True)
            save_file(vars(found), path)
        return Lessons(**load_file(path))

    def _scored(self, kinds: list[str]) -> Iterator[SimpleNamespace]:
        weights, _ = self.weigh(kinds)
        lengths = self.data.train.lengths
        for fold in range(self.n_folds):
            members = [self.member(kind, fold) for kind in kinds]
            held_out = np.flatnonzero(self.folds == fold)
            for users in np.array_split(held_out, max(1, len(held_out) // 16)):
                scores = torch.einsum(
                    "m,mni->ni", torch.tensor(weights), self.finite(members, users)
                )
                scores[:, 0] = -torch.inf
                yield SimpleNamespace(
                    users=np.repeat(users, lengths[users]),
                    positions=np.concatenate([np.arange(lengths[user]) for user in users]),
                    scores=scores,
                )

    def finite(self, members: list[Recommender], users: NDArray[np.int64]) -> torch.Tensor:
        """Return ``terms`` with zeros for padding, so that a weight of zero stays harmless."""
        terms = self.terms(members, users)
        terms[:, :, 0] = 0
        return terms

    def together(self, kinds: list[str]) -> LogLinearPool:
        """Return the members fitted on all users, as one recommender."""
        members = [self.member(kind, -1) for kind in kinds]
        return LogLinearPool(members, self.weigh(kinds)[0], self.data.catalog.digest)


class LogLinearPool:
    """A weighted sum of comparable scores; an ``evaluation.Recommender``."""

    def __init__(
        self, members: list[Recommender], weights: tuple[float, ...], catalog_digest: str
    ) -> None:
        self.members, self.weights, self.catalog_digest = members, weights, catalog_digest

    def score(self, histories: Sequences) -> torch.Tensor:
        """Score the catalog after each history; see ``Recommender``."""
        total: torch.Tensor | None = None
        for member, weight in zip(self.members, self.weights, strict=True):
            scores = comparable(member, member.score(histories).float().cpu())
            scores[:, 0] = 0
            total = weight * scores if total is None else total + weight * scores
        assert total is not None
        total[:, 0] = -torch.inf
        return total


@torch.no_grad()
def score_positions(model: Recommender, items: NDArray[np.int32]) -> torch.Tensor:
    """Score every position of one history from the items before it, shape [length, n_items + 1].

    A network reads windows that overlap by half, so that every position has half a window of
    history where there is as much.
    """
    if isinstance(model, Floor):
        return model.score_prefixes(items)
    network = model.model
    table, length = network.item_table(), network.max_length
    rows = [torch.zeros(1, len(table))]
    row = torch.from_numpy(items.astype(np.int64))[None, :-1]
    done = 0
    while done < row.shape[1]:
        end = min(done + (length if done == 0 else length // 2), row.shape[1])
        states = network.encode(row[:, max(0, end - length) : end])[0]
        rows.append(states[-(end - done) :] @ table.T)
        done = end
    scores = torch.cat(rows)
    scores[:, 0] = -torch.inf
    return scores
