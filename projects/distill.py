"""Train a student that also learns from a teacher's table, and test whether that helped.

mlflow run . --env-manager local -e distill -P baseline_run=latest -P teacher_run=latest
mlflow run . --env-manager local -e distill -P teacher_run=ease-table:0.6,knn-table:0.4
mlflow run . --env-manager local -e distill -P baseline_run=latest -P transfer_run=latest
mlflow run . --env-manager local -e distill -P listwise_weight=0 -P ranking_weight=0.5
mlflow run . --env-manager local -e distill -P transfer_run=latest -P control=no_lists
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import distillation, lessons, reporting, results, students, training
from recdistill.config import main_fields, part_of
from recdistill.data import prepare_for
from recdistill.distillation import DistillSettings
from recdistill.ranks import Devices, together
from recdistill.runs import stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.lessons import Lessons, Teachers
    from recdistill.runs import Run
    from recdistill.training import FittedStudent


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
class Config(DistillSettings, Devices):
    """What the student learns from; conf/distill.yaml says what each knob does and costs."""

    def __post_init__(self) -> None:
        DistillSettings.__post_init__(self)
        Devices.__post_init__(self)
        self.require_replicas()


def run(config: Config, run: Run) -> None:
    """Distil."""
    run.rename(config.label(), f"s{config.seed}-distill")
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
    inputs = data.inputs() | {"teacher": config.teacher_run} | sources.inputs()
    if own := distillation.sources_digest(config.terms):
        inputs |= {"terms": own}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    with run.phase("lessons"):
        baseline = training.load_recipe(sources.baseline.artifact("model"))
        said = ask(config, run, lessons.open_teachers(sources, data))
        given = distillation.lessons_given(config, said, baseline, data)
    changes = distillation.resolve_changes(config, baseline, data, given)
    run.log_params({f"resolved.{name}": value for name, value in changes.asked().items()})
    fit = fit or distillation.distil_student  # importing it is no part of the time to fit
    with run.phase("fit"):
        student = together(
            part_of(config, Devices),
            fit,
            changes.applied_to(baseline),
            distillation.build_teaching(config, changes, given, sources, data),
            data,
            seed=config.seed,
            vectors=sources.texts.vectors(data),
            own={
                "log": run.log_metrics,
                "checkpoint_folder": Path(run.checkpoint_folder),
            },
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


def ask(config: Config, run: Run, teachers: Teachers) -> Lessons:
    """Ask the teachers as the settings say, and log who teaches how much."""
    said = distillation.ask_teachers(config, teachers)
    run.log_metrics(
        teachers.measured()
        | {
            "teacher/n_targets": said.n_targets,
            "teacher/n_covered": said.n_covered,
            "teacher/n_selected": int((said.weights > 0).sum()),
            "teacher/coverage": said.coverage,
        }
    )
    run.log_params({f"teacher.weight.{n}": weight for n, weight in teachers.weights.items()})
    return said


if __name__ == "__main__":
    stage(run, Config, "distill")
