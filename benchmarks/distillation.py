"""What distillation brings, and what each teacher brings, against a baseline tuned as hard.

    python -m benchmarks.distillation run --dataset ml-100k --seeds 3
    python -m benchmarks.distillation table --dataset ml-100k

``run`` is resumable: a run that is already in the result files is not repeated. First the knobs
are tuned on validation, on shortened runs, as many trials for the baseline as for the student;
then the chosen settings meet the test part once per seed.
``benchmarks/results/distillation-<dataset>.json`` has every run's settings and metrics,
``.parquet`` every user's rank, from which ``table`` computes the paired tests again and writes
the ``.md`` that the documentation shows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch

from recdistill.data import DataConfig, prepare
from recdistill.distillation import (
    DistillationObjective,
    Ensemble,
    Ground,
    ListwiseConfig,
    RankingConfig,
    TermConfigs,
    Weighted,
    build_term,
    calibrated_scale,
    collect_lessons,
    pick_weights,
    weighted_sum,
)
from recdistill.evaluation import compare_paired, evaluate
from recdistill.floors import (
    CounterConfig,
    EASEConfig,
    KNNConfig,
    cross_fitted_scores,
    fit_floor,
    user_folds,
)
from recdistill.students import StudentConfig, StudentRecommender, build_student
from recdistill.training import FitConfig, OptimizerConfig, Softmax, fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recdistill.data import PreparedData
    from recdistill.distillation import Lessons
    from recdistill.evaluation import Evaluation

RESULTS = Path("benchmarks/results")
FLOORS = {
    "ease": EASEConfig(l2=500, history=50, decay=0.85, prior=0.0001),
    "knn": KNNConfig(damping=0, decay=0.8, prior=0.0001),
    "counter": CounterConfig(prior=0.0001),
}
LONGEST_LIST = 50
TUNING_SEED = 100
TEACHERS = "ease+knn+counter,ease+knn+counter+sasrec,ease,knn,counter"
SCRATCH = Path(tempfile.gettempdir()) / "recdistill-distillation-benchmark"


@dataclass(frozen=True)
class Recipe:
    """One student: how it is trained, and what it is taught."""

    dropout: float = 0.4
    lr: float = 0.002
    teacher: str = ""
    terms: dict[str, float] = field(default_factory=dict)
    k: int = 10
    temperature: float = 1.0
    tail: Literal["empty", "bucket"] = "empty"

    def key(self) -> str:
        """Say the recipe in one line; equal recipes say the same."""
        taught = "+".join(f"{name}{weight:g}" for name, weight in self.terms.items())
        tail = " bucket" if self.tail == "bucket" else ""
        teaching = f" {self.teacher} {taught} k{self.k} T{self.temperature:g}{tail}"
        return f"d{self.dropout:g} lr{self.lr:g}" + (teaching if self.terms else " baseline")


class Bench:
    """The data, the teachers, and the runs done so far."""

    def __init__(self, dataset: str) -> None:
        self.data: PreparedData = prepare(DataConfig(dataset=dataset))
        self.path = RESULTS / f"distillation-{dataset}"
        self.max_length, self.tokens = (100, 800) if dataset == "ml-100k" else (200, 3200)
        self._lessons: dict[str, Lessons] = {}
        path = self.path.with_suffix(".json")
        self.record: dict[str, Any] = (
            json.loads(path.read_text()) if path.exists() else {"teachers": {}, "runs": []}
        )

    def save(self) -> None:
        """Write the record after every run, whole or not at all."""
        RESULTS.mkdir(exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.record, indent=1) + "\n")
        partial.replace(self.path.with_suffix(".json"))

    def lessons(self, teacher: str) -> Lessons:
        """Return the lists of cross-fitted floors joined by ``+``, weighted on validation."""
        if teacher not in self._lessons:
            print(f"teacher {teacher}", flush=True)
            kinds = teacher.split("+")
            fitted = [
                self._student(self.data, "member")
                if kind == "sasrec"
                else fit_floor(kind, self.data.train, self.data.catalog, FLOORS[kind])
                for kind in kinds
            ]
            weights, ndcg = pick_weights(fitted, self.data)
            ensemble = Ensemble(fitted, weights, self.data.catalog.digest)
            scale = calibrated_scale(ensemble, self.data)
            self.lessons_record(teacher, ensemble, weights, scale, ndcg)
            self._lessons[teacher] = collect_lessons(
                self._cross_fitted(kinds, weights), self.data.train, k=LONGEST_LIST, scale=scale
            )
        return self._lessons[teacher]

    def lessons_record(
        self,
        teacher: str,
        ensemble: Ensemble,
        weights: tuple[float, ...],
        scale: float,
        ndcg: float,
    ) -> None:
        """Note what the teacher is and what it scores itself; its ranks join the runs'."""
        if teacher in self.record["teachers"]:
            return
        self._keep_ranks(f"teacher {teacher}", self._evaluate(ensemble, self.data.test))
        self.record["teachers"][teacher] = {
            "weights": weights,
            "scale": scale,
            "val_ndcg_at_10": ndcg,
        }
        self.save()

    def _cross_fitted(self, kinds: list[str], weights: tuple[float, ...]) -> Iterator[Any]:
        train = self.data.train
        floors = [kind for kind in kinds if kind != "sasrec"]
        streams = [
            cross_fitted_scores(kind, FLOORS[kind], train, self.data.catalog) for kind in floors
        ]
        folds = user_folds(len(train), 5, 0)  # the floors' own
        students = {}
        if "sasrec" in kinds:
            for fold in range(5):
                others = train.take(np.flatnonzero(folds != fold))
                students[fold] = self._student(replace(self.data, train=others), f"fold {fold}")
        for parts in zip(*streams, strict=True):
            users = parts[0].users
            by_kind = {kind: p.scores for kind, p in zip(floors, parts, strict=True)}
            if students:
                model = students[int(folds[users[0]])].model
                each = dict.fromkeys(users.tolist())
                by_kind["sasrec"] = torch.cat([score_windows(model, train, u) for u in each])
            scores = weighted_sum([(by_kind[k], w) for k, w in zip(kinds, weights, strict=True)])
            yield SimpleNamespace(users=users, positions=parts[0].positions, scores=scores)

    def _student(self, data: PreparedData, name: str) -> StudentRecommender:
        """Fit a baseline as a member of a teacher, on whatever users ``data`` trains on."""
        print(f"  {name}: fitting a student", flush=True)
        config = StudentConfig(n_heads=2, max_length=self.max_length, dropout=0.3)
        model = build_student(config, data.catalog.n_items, seed=TUNING_SEED, train=data.train)
        settings = FitConfig(max_epochs=12, patience=0, tokens_per_batch=self.tokens)
        fit(
            model,
            Softmax(),
            data,
            settings,
            log=lambda metrics, epoch: None,
            checkpoint_folder=SCRATCH / name.replace(" ", "_"),
            seed=TUNING_SEED,
            signature={"name": name},
        )
        return StudentRecommender(model.eval(), config, data.catalog.digest, data.split_digest)

    def run(self, recipe: Recipe, seed: int, *, epochs: int, test: bool = False) -> dict[str, Any]:
        """Train one student, unless the record has it already."""
        name = f"{recipe.key()} e{epochs} s{seed}"
        for done in self.record["runs"]:
            if done["name"] == name and (done["tested"] or not test):
                return done
        data = self.data
        config = StudentConfig(n_heads=2, max_length=self.max_length, dropout=recipe.dropout)
        student = build_student(config, data.catalog.n_items, seed=seed, train=data.train)
        objective = self._objective(recipe)
        settings = FitConfig(
            max_epochs=epochs,
            patience=0,
            tokens_per_batch=self.tokens,
            optimizer=OptimizerConfig(lr=recipe.lr),
        )
        started = time.process_time()
        folder = SCRATCH / name.replace(" ", "_")
        result = fit(
            student,
            objective,
            data,
            settings,
            log=lambda metrics, epoch: None,
            checkpoint_folder=folder,
            seed=seed,
            signature={"recipe": name},
        )
        cpu_seconds = time.process_time() - started
        model = StudentRecommender(student, config, data.catalog.digest, data.split_digest)
        done = {
            "name": name,
            "recipe": recipe.key(),
            "seed": seed,
            "tested": test,
            "val_ndcg_at_10": result.best["val/ndcg_at_10"],
            "val_recall_at_10": result.best["val/recall_at_10"],
            "best_epoch": result.best["epoch"],
            "n_epochs": result.n_epochs,
            "cpu_seconds_per_epoch": round(cpu_seconds / result.n_epochs, 2),
        }
        if test:
            evaluation = self._evaluate(model, data.test)
            self._keep_ranks(name, evaluation)
            metrics = evaluation.metrics()
            done |= {f"test_{m}": metrics[m] for m in ("recall_at_10", "ndcg_at_10")}
        self.record["runs"] = [r for r in self.record["runs"] if r["name"] != name] + [done]
        self.save()
        print({k: v for k, v in done.items() if k != "recipe"}, flush=True)
        return done

    def _objective(self, recipe: Recipe) -> Any:
        if not recipe.terms:
            return Softmax()
        lessons = self.lessons(recipe.teacher)
        lessons = replace(
            lessons, items=lessons.items[:, : recipe.k], logits=lessons.logits[:, : recipe.k]
        )
        counts = np.bincount(self.data.train.items, minlength=self.data.catalog.n_items + 1)
        configs = TermConfigs(
            listwise=ListwiseConfig(temperature=recipe.temperature, tail=recipe.tail),
            ranking=RankingConfig(),
        )
        ground = Ground(lessons, torch.from_numpy(counts))
        terms = [Weighted(build_term(n, configs, ground), w) for n, w in recipe.terms.items()]
        return DistillationObjective(Softmax(), terms, lessons, inspect_every=0)

    def _evaluate(self, model: Any, cases: Any) -> Evaluation:
        return evaluate(model, cases, self.data.catalog, self.data.train)

    def _keep_ranks(self, name: str, evaluation: Evaluation) -> None:
        ranks = evaluation.per_user[["user", "target", "n_above", "n_tied"]].assign(run=name)
        path = self.path.with_suffix(".parquet")
        if path.exists():
            before = pd.read_parquet(path)
            ranks = pd.concat([before[before.run != name], ranks], ignore_index=True)
        ranks.attrs = dict(evaluation.per_user.attrs)
        ranks.to_parquet(path)


@torch.inference_mode()
def score_windows(model: Any, train: Any, user: int) -> torch.Tensor:
    """Score all positions of one user, window by window; the first one knows nothing."""
    items = torch.from_numpy(train.row(user)).long()
    table = model.item_table()
    rows = [torch.zeros(1, len(table))]
    for start in range(0, len(items) - 1, model.max_length):
        window = items[None, start : min(start + model.max_length, len(items) - 1)]
        rows.append(model.encode(window)[0] @ table.T)
    scores = torch.cat(rows)
    scores[:, 0] = -torch.inf
    return scores


def tuned(bench: Bench, candidates: list[Recipe], epochs: int) -> Recipe:
    """Return the candidate with the best validation NDCG@10 on the tuning seed."""
    runs = [bench.run(recipe, TUNING_SEED, epochs=epochs) for recipe in candidates]
    return candidates[int(np.argmax([r["val_ndcg_at_10"] for r in runs]))]


def run(bench: Bench, options: argparse.Namespace) -> None:
    """Tune on shortened runs, five trials for the baseline and five for the student; test."""
    teachers = options.teachers.split(",")
    baselines = [Recipe(dropout=dropout) for dropout in (0.3, 0.4, 0.5)]
    baselines += [Recipe(dropout=0.3, lr=lr) for lr in (0.001, 0.003)]
    best = tuned(bench, baselines, options.tuning_epochs)
    trials = [(teachers[0], w) for w in (0.5, 1.0, 2.0)] + [(teachers[1], w) for w in (1.0, 2.0)]
    students = [replace(best, teacher=t, terms={"listwise": w}) for t, w in trials]
    winner = tuned(bench, students, options.tuning_epochs)
    bench.record["chosen"] = {"baseline": best.key(), "student": winner.key()}
    bench.save()
    others = [replace(winner, teacher=t) for t in teachers if t != winner.teacher]
    ranked = replace(winner, terms={"ranking": 0.5})
    longer, bucket = replace(winner, k=50), replace(winner, tail="bucket")
    for recipes in ([best, winner], [others[0], ranked], others[1:], [longer, bucket]):
        for seed in range(options.seeds):
            for recipe in recipes:
                bench.run(recipe, seed, epochs=options.epochs, test=True)


def table(bench: Bench) -> str:
    """Compute the result table in Markdown out of the committed ranks."""
    ranks = pd.read_parquet(bench.path.with_suffix(".parquet"))
    runs = [r for r in bench.record["runs"] if r["tested"]]
    recipes = list(dict.fromkeys(r["recipe"] for r in runs))
    base = bench.record["chosen"]["baseline"]

    def tables(recipe: str) -> list[pd.DataFrame]:
        names = [r["name"] for r in runs if r["recipe"] == recipe] or [recipe]
        out = []
        for name in names:
            frame = ranks[ranks.run == name].reset_index(drop=True)
            frame.attrs = dict(ranks.attrs)
            out.append(frame)
        return out

    lines = [
        "| student | seeds | recall@10 | NDCG@10 | ΔNDCG@10 [95 %] | p NDCG | p recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for recipe in [*recipes, *(f"teacher {t}" for t in bench.record["teachers"])]:
        ndcg = compare_paired(tables(recipe), tables(base), metric="ndcg")
        recall = compare_paired(tables(recipe), tables(base), metric="recall")
        row = [recipe, str(ndcg.n_seeds_a), f"{recall.value_a:.4f}", f"{ndcg.value_a:.4f}"]
        if recipe == base:
            row += ["", "", ""]
        else:
            relative = 100 * ndcg.delta / ndcg.value_b
            interval = f"[{ndcg.low:+.4f}, {ndcg.high:+.4f}]"
            row += [f"{ndcg.delta:+.4f} ({relative:+.1f} %) {interval}"]
            row += [f"{ndcg.p:.4f}", f"{recall.p:.4f}"]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--dataset", default="ml-100k")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--tuning_epochs", type=int, default=6)
    parser.add_argument("--teachers", default=TEACHERS)
    options = parser.parse_args()
    bench = Bench(options.dataset)
    if options.what == "run":
        run(bench, options)
    text = table(bench)
    bench.path.with_suffix(".md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
