"""Train a student that also learns from a teacher's table, and test whether that helped.

mlflow run . --env-manager local -e distill -P baseline_run=latest -P teacher_run=latest
mlflow run . --env-manager local -e distill -P teacher_run=ease-table:0.6,knn-table:0.4
mlflow run . --env-manager local -e distill -P baseline_run=latest -P transfer_run=latest
mlflow run . --env-manager local -e distill -P listwise_weight=0 -P ranking_weight=0.5
mlflow run . --env-manager local -e distill -P transfer_run=latest -P control=no_lists
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recdistill import distillation, lessons, reporting, results, students, training
from recdistill.config import main_fields
from recdistill.data import OnData, prepare_for
from recdistill.distillation import (
    Annealing,
    DROSConfig,
    FusionConfig,
    RankingOptions,
    StudentChanges,
)
from recdistill.errors import UserError, require_least
from recdistill.lessons import Control, Policy  # noqa: TC001 - read by the parser
from recdistill.runs import stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.data import PreparedData
    from recdistill.distillation import Teaching, TermConfigs
    from recdistill.lessons import Lessons, SelectionConfig, Sources, Teachers
    from recdistill.runs import Run
    from recdistill.training import FittedStudent, StudentRecipe


# A term's own settings; one that is off leaves them without a meaning.
OF_TERM = {
    "listwise": {"temperature", "tail"},
    "ranking": {"n_negatives", "ranking"},
    "dros": {"dros"},
}


@main_fields(
    "baseline_run",
    "teacher_run",
    "transfer_run",
    "ranking_weight",
    "listwise_weight",
    "fusion_weight",
    "dros_weight",
    "temperature",
    "n_negatives",
    "selection",
)
@dataclass(frozen=True)
class Config(StudentChanges, OnData):
    """What the student learns from; conf/distill.yaml says what each knob does and costs."""

    baseline_run: str = "latest"
    teacher_run: str = "latest"
    transfer_run: str = ""
    ranking_weight: float = 0.0
    listwise_weight: float = 1.0
    fusion_weight: float = 0.0
    dros_weight: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    temperature: float = 1.0
    n_negatives: int = 8
    top_k: int = 30
    tail: Literal["bucket", "empty"] = "bucket"
    selection: Policy = "all"
    budget: float = 0.5
    control: Control = "none"
    min_coverage: float = 0.5
    warm_start: bool = False
    inspect_every: int = 50
    annealing: Annealing = field(default_factory=Annealing)
    ranking: RankingOptions = field(default_factory=RankingOptions)
    dros: DROSConfig = field(default_factory=DROSConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)

    def __post_init__(self) -> None:
        StudentChanges.__post_init__(self)
        OnData.__post_init__(self)
        self.term_configs()
        self.selected()
        require_least("top_k", self.top_k, 1)
        self._check_control()
        if self.transfer_run:
            self._check_transfer()
        elif self.teacher_run == lessons.NO_TABLE and any(self.term_weights().values()):
            raise UserError(
                "teacher_run=none leaves nothing to learn from: name a table, or a transfer_run."
            )

    def _check_control(self) -> None:
        if self.control == "no_lists" and not self.transfer_run:
            raise UserError(
                "control=no_lists is the training on a transfer set's views without its lists: "
                "name a transfer_run (on the histories themselves it would be the baseline)."
            )

    def _check_transfer(self) -> None:
        """Refuse what means a place in the users' own histories, where a transfer set has views."""
        if self.teacher_run not in ("latest", lessons.NO_TABLE):
            raise UserError(
                f"transfer_run={self.transfer_run} and teacher_run={self.teacher_run} are two "
                "teachers: name one of them, or put this teacher into the transfer set."
            )
        if self.selection != "all" or self.fusion_weight:
            raise UserError(
                "selection and fusion_weight need a teacher's table: use them with teacher_run, "
                "not with transfer_run."
            )

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        on, off = self.term_weights(), set()
        if self.transfer_run:
            off |= {"teacher_run", "selection", "budget", "fusion_weight"}
        else:
            off.add("effort")
        if self.selection == "all":
            off.add("budget")
        if not self.fusion_weight:
            off.add("fusion")
        if self.control == "no_lists":
            off |= {"terms", *(f"{name}_weight" for name in OF_TERM)}
        if not self.terms:  # one of a user's own may read any of them
            off |= {name for term, own in OF_TERM.items() if term not in on for name in own}
        return super().unused() | off | (set() if on else {"annealing", "inspect_every"})

    def term_configs(self) -> TermConfigs:
        """Gather every term's settings from this stage's."""
        return distillation.TermConfigs(
            ranking=distillation.RankingConfig(n_negatives=self.n_negatives, **vars(self.ranking)),
            listwise=distillation.ListwiseConfig(self.temperature, self.tail),
            dros=self.dros,
        )

    def selected(self) -> SelectionConfig:
        """Say which targets are taught."""
        return lessons.SelectionConfig(self.selection, self.budget)

    def lessons(self, teachers: Teachers) -> Lessons:
        """Ask the teachers as these settings say."""
        return teachers.lessons(
            self.top_k,
            min_coverage=self.min_coverage,
            selection=self.selected(),
            seed=self.seed,
        )

    def given(self, said: Lessons, baseline: StudentRecipe, data: PreparedData) -> Lessons:
        """Return what the student is given of what the teachers said.

        Without a term that is nothing, on the histories themselves: the baseline.
        """
        if not self.term_weights() and self.control != "no_lists":
            return lessons.Lessons.none(data.train)
        architecture = baseline.architecture
        return lessons.control_lessons(self.control, said, data, architecture, seed=self.seed)

    def changes(
        self, baseline: StudentRecipe, data: PreparedData, taught: Lessons
    ) -> StudentChanges:
        """Say what differs from the baseline's training, on what the student is given."""
        on_views = bool(self.transfer_run) and taught.sequences is not data.train
        return self.resolved(
            baseline,
            data.train,
            taught.sequences if on_views else None,
            taught=bool(self.term_weights()),
        )

    def teaching(
        self, changes: StudentChanges, taught: Lessons, sources: Sources, data: PreparedData
    ) -> Teaching:
        """Put together what the student learns from beside its targets."""
        fusion = start = None
        if self.fusion_weight:
            import torch

            vectors = torch.from_numpy(lessons.item_vectors(sources, data))
            fusion = distillation.Fusion(vectors, self.fusion_weight, self.fusion)
        if self.warm_start:
            before = students.load_model(sources.baseline.artifact("model"), data.catalog)
            start = before.model.state_dict()
        return distillation.Teaching(
            taught,
            self.term_weights(),
            self.term_configs(),
            self.annealing,
            loss_weight=1.0 if changes.loss_weight is None else changes.loss_weight,
            inspect_every=self.inspect_every,
            fusion=fusion,
            start=start,
        )

    def term_weights(self) -> dict[str, float]:
        """Name the loss terms that are on, with their weights."""
        if self.control == "no_lists":
            return {}
        named = {name: getattr(self, f"{name}_weight") for name in ("ranking", "listwise", "dros")}
        return {name: weight for name, weight in (named | self.terms).items() if weight}


def run(config: Config, run: Run) -> None:
    """Distil."""
    run.rename(what_differs(config), f"s{config.seed}-distill")
    distil(config, run)


def distil(
    config: Config,
    run: Run,
    fit: Callable[..., FittedStudent] | None = None,
    *,
    keep_model: bool = True,
) -> None:
    """Gather the lessons, fit like the baseline with the terms on top, evaluate once, compare.

    ``fit`` is the ladder's own, whose students are not kept; ``distil_student`` by default.
    """
    data = prepare_for(config)
    run.log_data(data)
    sources = lessons.find_sources(
        config.baseline_run, config.teacher_run, run, data, config.transfer_run
    )
    run.set_tags(sources.tags())
    inputs = {"split": data.split_digest, "teacher": config.teacher_run} | sources.inputs()
    if own := distillation.sources_digest(config.terms):
        inputs |= {"terms": own}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    with run.phase("lessons"):
        baseline = training.load_recipe(sources.baseline.artifact("model"))
        said = gather(config, run, lessons.open_teachers(sources, data))
        taught = config.given(said, baseline, data)
    changes = config.changes(baseline, data, taught)
    run.log_params({f"resolved.{name}": value for name, value in changes.asked().items()})
    fit = fit or distillation.distil_student  # importing it is no part of the time to fit
    with run.phase("fit"):
        student = fit(
            changes.applied_to(baseline),
            config.teaching(changes, taught, sources, data),
            data,
            seed=config.seed,
            vectors=sources.texts.vectors(data),
            log=run.log_metrics,
            checkpoint_folder=Path(run.checkpoint_folder),
        )
    run.log_metrics(student.metrics())
    if keep_model:
        recommender = results.learn_new_item_shift(run, student.recommender, data)
        students.save_model(recommender, run.folder / "model")
        training.save_recipe(changes.applied_to(baseline), run.folder / "model")
        run.log_artifact(run.folder / "model", "model")

    # At the last step, or what MLflow shows as the newest is the last epoch and not this model.
    test = results.log_evaluation(run, student.recommender, data, step=student.result.n_epochs)
    words = [
        results.result_sentence(run.name(), test),
        *reporting.log_differences(run, [run.id], "baseline", [[sources.baseline.id]]),
        *reporting.log_differences(
            run, [run.id], "teacher", [[teacher.id] for teacher in sources.all_teachers()]
        ),
    ]
    run.note("\n\n".join(words))
    print("\n".join(words))


def gather(config: Config, run: Run, teachers: Teachers) -> Lessons:
    """Get the lessons that the settings ask for, and log who teaches how much."""
    taught = config.lessons(teachers)
    run.log_metrics(
        teachers.measured()
        | {
            "teacher/n_targets": taught.n_targets,
            "teacher/n_taught": taught.n_taught,
            "teacher/n_selected": int((taught.weights > 0).sum()),
            "teacher/coverage": taught.coverage,
        }
    )
    run.log_params({f"teacher.weight.{n}": weight for n, weight in teachers.weights.items()})
    return taught


def what_differs(config: Config) -> str:
    """Say what distinguishes this run from its neighbours."""
    weights = {**config.term_weights()}
    if config.fusion_weight:
        weights["fusion"] = config.fusion_weight
    terms = "-".join(f"{n.split(':')[-1]}{w:g}" for n, w in weights.items()) or "zero"
    if config.transfer_run:
        terms += "-transfer"
    if config.control != "none":
        terms = config.control if config.control == "no_lists" else f"{terms}-{config.control}"
    return terms


if __name__ == "__main__":
    stage(run, Config, "distill")
