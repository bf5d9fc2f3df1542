"""Train a student that also learns from a teacher's table, and test whether that helped.

mlflow run . --env-manager local -e distill -P baseline_run=latest -P teacher_run=latest
mlflow run . --env-manager local -e distill -P teacher_run=ease-table:0.6,knn-table:0.4
mlflow run . --env-manager local -e distill -P baseline_run=latest -P transfer_run=latest
mlflow run . --env-manager local -e distill -P listwise_weight=0 -P ranking_weight=0.5
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from projects._student_recipe import RESOLVED, baseline_settings, like_baseline, resolved
from projects._taught import NO_TABLE, School, Taught, find_runs, item_vectors
from recdistill import students
from recdistill.data import OnData, prepare_for
from recdistill.distillation import (
    Annealing,
    DROSConfig,
    Fusion,
    FusionConfig,
    ListwiseConfig,
    RankingConfig,
    Teaching,
    TermConfigs,
    distil_student,
    sources_digest,
)
from recdistill.errors import UserError
from recdistill.lessons import Lessons, Policy, SelectionConfig, TransferSet
from recdistill.results import log_differences, log_evaluation, result_sentence
from recdistill.runs import Run, stage

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.distillation._mistakes import Spoiler


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
    transfer_run: str = ""
    ranking_weight: float = 0.0
    listwise_weight: float = 1.0
    fusion_weight: float = 0.0
    dros_weight: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    loss_weight: float = -1.0
    temperature: float = 1.0
    n_negatives: int = 8
    top_k: int = 30
    tail: Literal["bucket", "empty"] = "bucket"
    selection: Policy = "all"
    budget: float = 0.5
    min_coverage: float = 0.5
    warm_start: bool = False
    max_epochs: int = 0
    effort: float = 2.0
    lr: float = 0.0
    dropout: float = -1.0
    label_smoothing: float = -1.0
    inspect_every: int = 50
    annealing: Annealing = field(default_factory=Annealing)
    ranking: RankingOptions = field(default_factory=RankingOptions)
    dros: DROSConfig = field(default_factory=DROSConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.term_configs()
        self.selected()
        if self.top_k < 1:
            raise UserError(f"top_k is {self.top_k}; it must be at least 1.")
        if self.effort <= 0:
            raise UserError(f"effort is {self.effort}; it must be positive.")
        if self.transfer_run:
            self._check_transfer()
        elif self.teacher_run == NO_TABLE and any(self.term_weights().values()):
            raise UserError(
                "teacher_run=none leaves nothing to learn from: name a table, or a transfer_run."
            )

    def _check_transfer(self) -> None:
        """Refuse what means a place in the users' own histories, where a transfer set has views."""
        if self.teacher_run not in ("latest", NO_TABLE):
            raise UserError(
                f"transfer_run={self.transfer_run} and teacher_run={self.teacher_run} are two "
                "teachers: name one of them, or put this teacher into the transfer set."
            )
        if self.selection != "all" or self.fusion_weight:
            raise UserError(
                "selection and fusion_weight need a teacher's table: use them with teacher_run, "
                "not with transfer_run."
            )

    def term_configs(self) -> TermConfigs:
        """Gather every term's settings from this stage's."""
        return TermConfigs(
            ranking=RankingConfig(n_negatives=self.n_negatives, **vars(self.ranking)),
            listwise=ListwiseConfig(self.temperature, self.tail),
            dros=self.dros,
        )

    def selected(self) -> SelectionConfig:
        """Say which targets are taught."""
        return SelectionConfig(self.selection, self.budget)

    def term_weights(self) -> dict[str, float]:
        """Name the loss terms that are on, with their weights."""
        named = {name: getattr(self, f"{name}_weight") for name in ("ranking", "listwise", "dros")}
        return {name: weight for name, weight in (named | self.terms).items() if weight}


def run(config: Config, run: Run) -> None:
    """Distil."""
    run.rename(name(config))
    distil(config, run)


def distil(config: Config, run: Run, spoiler: Spoiler | None = None) -> None:
    """Join the tables, fit like the baseline with the terms on top, evaluate once, compare.

    ``spoiler`` is the ladder's: it makes one mistake on purpose.
    """
    data = prepare_for(config)
    run.log_data(data)
    taught = find_runs(config.baseline_run, config.teacher_run, run, data, config.transfer_run)
    run.set_tags(taught.tags())
    inputs = {"split": data.split_digest, "baseline": taught.baseline.id}
    inputs |= {"tables": ",".join(t.id for t in taught.tables), "teacher": config.teacher_run}
    if taught.transfer:
        inputs |= {"transfer": taught.transfer.id}
    if own := sources_digest(config.terms):
        inputs |= {"terms": own}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    training = baseline_settings(taught.baseline)
    with run.phase("lessons"):
        transfer = applied(config, taught.transfer_set(data))
        config = resolved(config, training, transfer, data)
        lessons = transfer.lessons if transfer else learn(config, run, data, taught)
    run.log_params({f"resolved.{name}": getattr(config, name) for name in RESOLVED})
    recipe = like_baseline(config, training)
    with run.phase("fit"):
        student = distil_student(
            recipe,
            teach(config, data, taught, spoiler.lessons(lessons) if spoiler else lessons, transfer),
            data,
            seed=config.seed,
            vectors=taught.texts.vectors(data),
            log=run.log_metrics,
            checkpoint_folder=Path(run.checkpoint_folder),
            spoiler=spoiler,
        )
    run.log_metrics(student.metrics())
    if spoiler is None:
        students.save_model(student.recommender, run.folder / "model")
        run.log_artifact(run.folder / "model", "model")

    test = log_evaluation(run, student.recommender, data)
    words = [
        result_sentence(run.name(), test),
        *log_differences(run, test, "baseline", [taught.baseline]),
    ]
    words += log_differences(run, test, "teacher", taught.all_teachers())
    run.note("\n\n".join(words))
    print("\n".join(words))


def applied(config: Config, made: TransferSet | None) -> TransferSet | None:
    """Shorten the lists as asked; without a term there is nothing to teach."""
    if made is None or not any(config.term_weights().values()):
        return None
    return made.shortened(config.top_k)


def learn(config: Config, run: Run, data: PreparedData, taught: Taught) -> Lessons:
    """Weigh the teachers, join their tables with the training targets, spend the budget."""
    if not taught.tables:
        return Lessons.none(data.train)
    school = School(taught, data)
    lessons, report = school.lessons(config.top_k, config.min_coverage)
    lessons = school.chosen(lessons, config.selected(), config.top_k, seed=config.seed)
    names = [t.name for t in taught.teachers]
    run.log_dict({"teachers": names, **asdict(school.weighed)}, "teachers.json")
    run.log_metrics(
        {
            "teacher/val_ndcg_at_10": school.weighed.val_ndcg,
            "teacher/n_targets": report.n_targets,
            "teacher/n_taught": report.n_taught,
            "teacher/n_selected": int((lessons.weights > 0).sum()),
            "teacher/coverage": report.coverage,
        }
    )
    weights = zip(names, school.weighed.weights, strict=True)
    run.log_params({f"teacher.weight.{n}": w for n, w in weights})
    return lessons


def teach(
    config: Config,
    data: PreparedData,
    taught: Taught,
    lessons: Lessons,
    transfer: TransferSet | None = None,
) -> Teaching:
    """Put together what the student learns from beside its targets."""
    fusion = start = None
    if config.fusion_weight:
        vectors = torch.from_numpy(item_vectors(taught, data))
        fusion = Fusion(vectors, config.fusion_weight, config.fusion)
    if config.warm_start:
        before = students.load_model(taught.baseline.artifact("model"), data.catalog)
        start = before.model.state_dict()
    return Teaching(
        lessons,
        config.term_weights(),
        config.term_configs(),
        config.annealing,
        loss_weight=config.loss_weight,
        inspect_every=config.inspect_every,
        fusion=fusion,
        start=start,
        views=transfer.sequences if transfer else None,
    )


def name(config: Config) -> str:
    """Lead with what distinguishes this run from its neighbours."""
    weights = {**config.term_weights()}
    if config.fusion_weight:
        weights["fusion"] = config.fusion_weight
    terms = "-".join(f"{n.split(':')[-1]}{w:g}" for n, w in weights.items()) or "zero"
    if config.transfer_run:
        terms += "-transfer"
    return f"{terms}-s{config.seed}-distill"


if __name__ == "__main__":
    stage(run, Config, "distill")
