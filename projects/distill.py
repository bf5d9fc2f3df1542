"""Train a student that also learns from a teacher's table, and test whether that helped.

mlflow run . --env-manager local -e distill -P baseline_run=latest -P teacher_run=latest
mlflow run . --env-manager local -e distill -P teacher_run=ease-table:0.6,knn-table:0.4
mlflow run . --env-manager local -e distill -P listwise_weight=0 -P ranking_weight=0.5
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from projects import train_baseline
from projects._finish import log_evaluation, sentence
from projects._on_data import OnData
from recdistill import students
from recdistill.config import parse
from recdistill.distillation import (
    Annealing,
    DistillationObjective,
    DROSConfig,
    FusionConfig,
    Ground,
    ListwiseConfig,
    Policy,
    RankingConfig,
    SelectionConfig,
    TermConfigs,
    Weighted,
    build_term,
    fold_items,
    fuse_items,
    join_tables,
    pool,
    select,
    view_training,
)
from recdistill.errors import UserError
from recdistill.evaluation import compare_paired, load_evaluation
from recdistill.serving import load_recommender
from recdistill.students import StudentRecommender, build_student
from recdistill.teachers import TeacherTable
from recdistill.tracking import Run, stage
from recdistill.training import build_loss, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data import PreparedData
    from recdistill.distillation import Lessons
    from recdistill.distillation._mistakes import Spoiler
    from recdistill.evaluation import Evaluation
    from recdistill.tracking import RunReference
    from recdistill.training import Objective

MODELS = ("train_baseline", "train_teacher", "distill")


@dataclass(frozen=True)
class RankingOptions:
    """The ranking term's own knobs; ``RankingConfig`` says what each does."""

    variant: Literal["paper", "reference_code"] = "paper"
    position: float = 0.3
    confidence: float = 0.5
    consistency: float = 0.1
    beta: float = 1.0


@dataclass(frozen=True)
class Config(OnData):
    """What the student learns from; conf/distill.yaml says what each knob does and costs."""

    baseline_run: str = "latest"
    teacher_run: str = "latest"
    ranking_weight: float = 0.0
    listwise_weight: float = 1.0
    fusion_weight: float = 0.0
    dros_weight: float = 0.0
    loss_weight: float = 1.0
    temperature: float = 1.0
    n_negatives: int = 8
    top_k: int = 10
    tail: Literal["empty", "bucket"] = "empty"
    selection: Policy = "all"
    budget: float = 0.5
    min_coverage: float = 0.5
    warm_start: bool = False
    max_epochs: int = 0
    lr: float = 0.0
    inspect_every: int = 50
    annealing: Annealing = field(default_factory=Annealing)
    ranking: RankingOptions = field(default_factory=RankingOptions)
    dros: DROSConfig = field(default_factory=DROSConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.term_configs()
        SelectionConfig(self.selection, self.budget)
        if self.top_k < 1:
            raise UserError(f"top_k is {self.top_k}; it must be at least 1.")

    def term_configs(self) -> TermConfigs:
        """Gather every term's settings from this stage's."""
        return TermConfigs(
            ranking=RankingConfig(n_negatives=self.n_negatives, **vars(self.ranking)),
            listwise=ListwiseConfig(self.temperature, self.tail),
            dros=self.dros,
        )

    def term_weights(self) -> dict[str, float]:
        """Name the loss terms that are on, with their weights."""
        named = {name: getattr(self, f"{name}_weight") for name in ("ranking", "listwise", "dros")}
        return {name: weight for name, weight in named.items() if weight}


@dataclass(frozen=True)
class Taught:
    """What came in from other runs."""

    baseline: RunReference
    tables: list[RunReference]
    teachers: list[RunReference]
    weights: list[float] | None


def run(config: Config, run: Run) -> None:
    """Distil."""
    run.rename(name(config))
    distil(config, run)


def distil(config: Config, run: Run, spoiler: Spoiler | None = None) -> None:
    """Join the tables, fit like the baseline with the terms on top, evaluate once, compare.

    ``spoiler`` is the ladder's: it makes one mistake on purpose.
    """
    data = config.prepared(run)
    taught = find_runs(config, run, data)
    run.set_tags(
        {
            "baseline_run_id": taught.baseline.id,
            "teacher_run_id": ",".join(t.id for t in taught.teachers),
            "table_run_id": ",".join(t.id for t in taught.tables),
        }
    )
    inputs = {"split": data.split_digest, "baseline": taught.baseline.id}
    inputs |= {"tables": ",".join(t.id for t in taught.tables), "teacher": config.teacher_run}
    if run.already_done(inputs, use_cache=config.use_cache):
        return
    training = like_baseline(config, taught.baseline)
    with run.phase("lessons"):
        lessons = learn(config, run, data, taught)
    if spoiler:
        lessons = spoiler.lessons(lessons)
    model = fit_student(config, run, data, taught, training, lessons, spoiler)
    finish(run, model, data, taught, spoilt=spoiler is not None)


def find_runs(config: Config, run: Run, data: PreparedData) -> Taught:
    """Resolve the baseline, the tables, and the teachers that wrote the tables."""
    baseline = run.find(config.baseline_run, "train_baseline", data=data)
    tables, weights = [], []
    for part in config.teacher_run.split(","):
        reference, _, weight = (
            part.strip().rpartition(":") if ":" in part else (part.strip(), "", "")
        )
        tables.append(find_table(run, reference, data))
        weights.append(weight)
    if any(weights) and not all(weights):
        raise UserError(
            f"teacher_run={config.teacher_run} gives a weight to some teachers only: give one to "
            "each (run:weight), or none and have them picked on validation."
        )
    try:
        numbers = [float(w) for w in weights] if all(weights) else None
    except ValueError:
        raise UserError(
            f"teacher_run={config.teacher_run} has a weight that is no number; write run:0.6."
        ) from None
    teachers = [run.find(t.tags["teacher_run_id"], *MODELS, data=data) for t in tables]
    return Taught(baseline, tables, teachers, numbers)


def find_table(run: Run, reference: str, data: PreparedData) -> RunReference:
    """Find an export by its own name, or by that of the teacher it was made from."""
    if reference == "latest":
        return run.find(reference, "export_teacher", data=data)
    found = run.find(reference, "export_teacher", *MODELS, data=data)
    if found.stage == "export_teacher":
        return found
    experiments = [e.experiment_id for e in run.client.search_experiments()]
    exports = run.client.search_runs(
        experiments,
        f"tags.teacher_run_id = '{found.id}' and tags.stage = 'export_teacher' "
        "and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if not exports:
        raise UserError(
            f"Run {found.name} has no teacher table yet: "
            f"mlflow run . -e export_teacher -P teacher_run={found.id}"
        )
    return run.find(exports[0].info.run_id, "export_teacher", data=data)


def like_baseline(config: Config, baseline: RunReference) -> train_baseline.Config:
    """Read back the baseline's settings: same student, same loss, same schedule."""
    file = baseline.artifact("config.yaml")
    training = parse(train_baseline.Config, "train_baseline", ["--config", str(file)])
    if training.model not in ("sasrec", "gru4rec"):
        raise UserError(
            f"Run {baseline.name} is a {training.model}, which cannot be a student; name a run of "
            "sasrec or gru4rec in baseline_run."
        )
    optimizer = replace(training.optimizer, lr=config.lr or training.optimizer.lr)
    return replace(
        training, max_epochs=config.max_epochs or training.max_epochs, optimizer=optimizer
    )


def learn(config: Config, run: Run, data: PreparedData, taught: Taught) -> Lessons:
    """Weigh the teachers, join their tables with the training targets, spend the budget."""
    models = [load_recommender(t.artifact("model"), data.catalog) for t in taught.teachers]
    weighed = pool(models, data, taught.weights)
    tables = [TeacherTable.open(t.artifact("table"), data) for t in taught.tables]
    lessons, report = join_tables(
        tables, weighed.factors, data, k=config.top_k, min_coverage=config.min_coverage
    )
    selection = SelectionConfig(config.selection, config.budget)
    view = None
    if config.selection in ("uncertain", "disagreement"):
        baseline = students.load_model(taught.baseline.artifact("model"), data.catalog)
        view = view_training(baseline.model, data.train, config.top_k)
    lessons = select(selection, lessons, view, seed=config.seed)
    names = [t.name for t in taught.teachers]
    run.log_dict({"teachers": names, **asdict(weighed)}, "teachers.json")
    run.log_metrics(
        {
            "teacher/val_ndcg_at_10": weighed.val_ndcg,
            "teacher/n_targets": report.n_targets,
            "teacher/n_taught": report.n_taught,
            "teacher/n_selected": int((lessons.weights > 0).sum()),
            "teacher/coverage": report.coverage,
        }
    )
    run.log_params({f"teacher.weight.{n}": w for n, w in zip(names, weighed.weights, strict=True)})
    return lessons


def fit_student(
    config: Config,
    run: Run,
    data: PreparedData,
    taught: Taught,
    training: train_baseline.Config,
    lessons: Lessons,
    spoiler: Spoiler | None = None,
) -> StudentRecommender:
    """Fit as the baseline was fitted, and leave a plain student behind."""
    architecture = training.student_config(training.model)  # type: ignore[arg-type]
    student = build_student(architecture, data.catalog.n_items, seed=config.seed, train=data.train)
    if config.warm_start:
        before = students.load_model(taught.baseline.artifact("model"), data.catalog)
        student.load_state_dict(before.model.state_dict())
    if config.fusion_weight:
        vectors = torch.from_numpy(item_vectors(taught, data))
        fuse_items(student, vectors, config.fusion_weight, config.fusion, seed=config.seed)
    counts = np.bincount(data.train.items, minlength=data.catalog.n_items + 1)
    ground = Ground(lessons, torch.from_numpy(counts))
    configs = config.term_configs()
    terms = {name: build_term(name, configs, ground) for name in config.term_weights()}
    optimizer = training.optimizer
    if spoiler:
        student = spoiler.student(student)
        terms = {name: spoiler.term(term) for name, term in terms.items()}
    plain = DistillationObjective(
        build_loss(training.loss_config(), counts),
        [
            Weighted(terms[name], weight, config.annealing)
            for name, weight in config.term_weights().items()
        ],
        lessons,
        loss_weight=config.loss_weight,
        inspect_every=config.inspect_every,
    )
    objective: Objective = plain
    if spoiler:
        objective = spoiler.objective(plain, student, optimizer.weight_decay)
        if spoiler.mistake == "coupled_l2":
            training = replace(training, optimizer=replace(optimizer, weight_decay=0.0))
    with run.phase("fit"):
        result = fit(
            student,
            objective,
            data,
            training.fit_config(),
            log=run.log_metrics,
            checkpoint_folder=Path(run.checkpoint_folder),
            seed=config.seed,
            signature=asdict(architecture) | {"terms": config.term_weights()},
        )
    run.log_metrics({"fit/n_epochs": result.n_epochs, "fit/best_epoch": result.best["epoch"]})
    fold_items(student)
    run.log_metrics({"model/n_parameters": sum(p.numel() for p in student.parameters())})
    return StudentRecommender(student, architecture, data.catalog.digest, data.split_digest)


def item_vectors(taught: Taught, data: PreparedData) -> np.ndarray:
    """Take the item vectors of the first table that has some."""
    for reference in taught.tables:
        vectors = TeacherTable.open(reference.artifact("table"), data, verify=False).item_embeddings
        if vectors is not None:
            return np.array(vectors)
    raise UserError(
        "fusion_weight needs a teacher with item vectors, and none of these tables has any (floors "
        "have none): add a language model's table to teacher_run, or set fusion_weight=0."
    )


def finish(
    run: Run, model: StudentRecommender, data: PreparedData, taught: Taught, *, spoilt: bool
) -> None:
    """Keep the student, evaluate it once, and test it against baseline and teachers."""
    if not spoilt:
        students.save_model(model, run.folder / "model")
        run.log_artifact(run.folder / "model", "model")
    test = log_evaluation(run, model, data)
    words = [sentence(run.name(), test), *against(run, test, "baseline", [taught.baseline])]
    words += against(run, test, "teacher", taught.teachers)
    run.note("\n\n".join(words))
    print("\n".join(words))


def against(run: Run, test: Evaluation, what: str, others: Sequence[RunReference]) -> list[str]:
    """Log paired differences; several teachers are numbered after the first."""
    words = []
    for i, other in enumerate(others):
        suffix = f"{what}_{i + 1}" if i else what
        before = load_evaluation(other.artifact("evaluation"))
        for metric in ("recall", "ndcg"):
            found = compare_paired([test.per_user], [before.per_user], metric=metric)
            run.log_metrics(
                {
                    f"delta/{metric}_at_10_vs_{suffix}": found.delta,
                    f"p/{metric}_at_10_vs_{suffix}": found.p,
                }
            )
            words.append(
                f"{metric}@10 against {what} {other.name}: {found.delta:+.4f} "
                f"[{found.low:+.4f}, {found.high:+.4f}], p {found.p:.3f}"
            )
    return words


def name(config: Config) -> str:
    """Lead with what distinguishes this run from its neighbours."""
    weights = {**config.term_weights()}
    if config.fusion_weight:
        weights["fusion"] = config.fusion_weight
    terms = "-".join(f"{name}{weight:g}" for name, weight in weights.items()) or "zero"
    return f"{terms}-s{config.seed}-distill"


if __name__ == "__main__":
    stage(run, Config, "distill")
