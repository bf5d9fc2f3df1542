"""Answer "why is my student worse?": is it, what does each part do, what does the teacher know.

mlflow run . --env-manager local -e diagnose
mlflow run . --env-manager local -e diagnose -P student_run=<a distill run> -P ladder=none
mlflow run . --env-manager local -e diagnose -P ladder=zero,listwise,permuted_lists -P max_epochs=6
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from recdistill import evaluation, lessons, reporting, students
from recdistill.config import as_dotted, changed_part, main_fields
from recdistill.data import OnData, prepare_for
from recdistill.ladder import climb, rungs_named
from recdistill.runs import stage
from recdistill.training import find_baseline

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.lessons import Sources
    from recdistill.runs import Run, RunReference


@main_fields("baseline_run", "teacher_run", "student_run")
@dataclass(frozen=True)
class Config(OnData):
    """Whom to diagnose, and how far up the ladder; conf/diagnose.yaml says what it costs."""

    baseline_run: str = "latest"
    teacher_run: str = "latest"
    student_run: str = "latest"
    ladder: str = "all"
    max_epochs: int | None = None
    top_k: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        rungs_named(self.ladder)


def run(config: Config, run: Run) -> None:
    """Test the gap, look into the table, climb the ladder, write the report."""
    data = prepare_for(config)
    run.log_data(data)
    student = run.find(config.student_run, "distill", data=data)
    baseline_run = own_or_named(config.baseline_run, student.tags.get("baseline_run_id", "latest"))
    baseline = find_baseline(baseline_run, run, data)
    sources = sources_of(config, run, student, baseline, data)
    teacher = sources.all_teachers()[0]
    run.rename(student.name, "diagnose")
    run.set_tags({"baseline_run_id": baseline.id, "student_run_id": student.id})

    compared = {"student": student, "baseline": baseline, "teacher": teacher}
    users = {
        part: evaluation.load_evaluation(one.artifact("evaluation")).per_user
        for part, one in compared.items()
    }
    with run.phase("inspect"):
        table = inspect(config, data, sources)
    shared = shared_settings(config, sources)
    rungs = climb(run, rungs_named(config.ladder), sources, shared, users["baseline"], say)
    diagnosis = reporting.diagnose(
        {part: one.name for part, one in compared.items()},
        users,
        table,
        rungs,
        asked_many_views=sources.transfer is not None,
    )
    run.log_metrics(diagnosis.metrics())
    run.log_dict(diagnosis.to_dict(), "diagnosis.json")
    run.log_text(reporting.render_diagnosis(diagnosis, run.id), "report.html")
    run.note(diagnosis.text())
    print(diagnosis.text())


def own_or_named(asked: str, own: str) -> str:
    """Prefer what was asked for; ``latest`` means what the student itself was made with."""
    return own if asked == "latest" else asked


def sources_of(
    config: Config, run: Run, student: RunReference, baseline: RunReference, data: PreparedData
) -> Sources:
    """Find what the student learned from, or the table that was named in its place."""
    own = student.tags.get("transfer_run_id", "")
    if own and config.teacher_run == "latest":
        return lessons.find_sources(baseline.id, lessons.NO_TABLE, run, data, own)
    tables = own_or_named(config.teacher_run, student.tags.get("table_run_id") or "latest")
    return lessons.find_sources(baseline.id, tables, run, data)


def inspect(config: Config, data: PreparedData, sources: Sources) -> dict[str, float | None]:
    """Read the lists at the training positions, as distill does, and look into them."""
    teachers = lessons.open_teachers(sources, data)
    given = teachers.lessons(
        config.top_k, min_coverage=0.0, selection=lessons.SelectionConfig(), seed=config.seed
    )
    model = students.load_model(sources.baseline.artifact("model"), data.catalog).model
    # The first view of every history is the history as it is.
    given = given.about(data.train)
    view = lessons.view_training(model, given.sequences, config.top_k)
    return asdict(lessons.inspect_lessons(given, data.catalog.n_items, view))


def say(words: str) -> None:
    """Tell what happened on the way."""
    print(f"diagnose: {words}", flush=True)


def shared_settings(config: Config, sources: Sources) -> dict[str, Any]:
    """Return what all rungs are trained with: the baseline's seed, the same lists and data."""
    settings = as_dotted(changed_part(config, OnData, always=("dataset",)))
    if sources.transfer:
        settings["transfer_run"] = sources.transfer.id
    else:
        settings["teacher_run"] = ",".join(table.id for table in sources.tables)
    if config.max_epochs is not None:
        settings["max_epochs"] = config.max_epochs
    return settings | {
        "baseline_run": sources.baseline.id,
        "seed": int(sources.baseline.params.get("config.seed", config.seed)),
        "top_k": config.top_k,
    }


if __name__ == "__main__":
    stage(run, Config, "diagnose")
