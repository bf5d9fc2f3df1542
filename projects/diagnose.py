"""Answer "why is my student worse?": is it even, what each part does, what the teacher knows.

mlflow run . --env-manager local -e diagnose
mlflow run . --env-manager local -e diagnose -P student_run=<a distill run> -P ladder=none
mlflow run . --env-manager local -e diagnose -P ladder=zero,listwise,permuted_lists -P max_epochs=6
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from recdistill import evaluation, lessons, reporting, students
from recdistill.config import as_dotted, main_fields
from recdistill.data import OnData, prepare_for
from recdistill.ladder import climb, rungs_named
from recdistill.runs import stage

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data import PreparedData
    from recdistill.lessons import Sources
    from recdistill.reporting import Diagnosis
    from recdistill.runs import Run, RunReference

METRICS = ("recall", "ndcg")
SHARED = {
    "dataset", "data_path", "source", "split", "train_file", "val_file", "test_file", "max_users",
    "min_interactions", "data_seed", "use_cache",
}  # fmt: skip


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
    baseline = run.find(baseline_run, "train_baseline", data=data)
    sources = sources_of(config, run, student, baseline, data)
    teacher = sources.all_teachers()[0]
    run.rename(student.name, "diagnose")
    run.set_tags({"baseline_run_id": baseline.id, "student_run_id": student.id})

    users = {
        name: evaluation.load_evaluation(reference.artifact("evaluation")).per_user
        for name, reference in (
            ("student", student), ("baseline", baseline), ("teacher", teacher),
        )
    }  # fmt: skip
    with run.phase("inspect"):
        table = inspect(config, data, sources)
    shared = shared_settings(config, sources)
    rungs = climb(run, rungs_named(config.ladder), sources, shared, users["baseline"], say)
    hit = {name: frame["n_above"].to_numpy() < 10 for name, frame in users.items()}
    diagnosis = reporting.Diagnosis(
        names={"student": student.name, "baseline": baseline.name, "teacher": teacher.name},
        student={m: paired(users["student"], users["baseline"], m) for m in METRICS},
        teacher={m: paired(users["teacher"], users["baseline"], m) for m in METRICS},
        only_teacher=float((hit["teacher"] & ~hit["baseline"]).mean()),
        only_baseline=float((hit["baseline"] & ~hit["teacher"]).mean()),
        both=float((hit["baseline"] & hit["teacher"]).mean()),
        asked_many_views=sources.transfer is not None,
        table=table,
        rungs=rungs,
    )
    tell(run, diagnosis)


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
    changed = {k: v for k, v in as_dotted(config).items() if k in SHARED and v != ""}
    taken = {"teacher_run": ",".join(table.id for table in sources.tables)}
    if sources.transfer:
        taken = {"transfer_run": sources.transfer.id}
    length = {} if config.max_epochs is None else {"max_epochs": config.max_epochs}
    return changed | taken | length | {
        "baseline_run": sources.baseline.id,
        "seed": int(sources.baseline.params.get("config.seed", config.seed)),
        "top_k": config.top_k,
    }  # fmt: skip


def paired(one: pd.DataFrame, other: pd.DataFrame, metric: Any) -> Any:
    """Compare two runs' users."""
    return evaluation.compare_paired([one], [other], metric=metric)


def tell(run: Run, diagnosis: Diagnosis) -> None:
    """Log the findings as metrics, page and words."""
    run.log_metrics({f"table/{k}": v for k, v in diagnosis.table.items() if v is not None})
    for metric, test in diagnosis.student.items():
        run.log_metrics(
            {
                f"delta/{metric}_at_10_student_vs_baseline": test.delta,
                f"p_users/{metric}_at_10_student_vs_baseline": test.p,
            }
        )
    run.log_metrics({f"ladder/ndcg_at_10_{r.name}": r.effect.delta for r in diagnosis.rungs})
    run.log_dict(diagnosis.to_dict(), "diagnosis.json")
    run.log_text(reporting.render_diagnosis(diagnosis, run.id), "report.html")
    words = [f"- {s}" for s in diagnosis.verdict()]
    steps = [f"{i}. {s}" for i, s in enumerate(diagnosis.next_steps(), start=1)]
    text = "\n".join(["**Verdict**", "", *words, "", "**Try next**", "", *steps])
    run.note(text)
    print(text)


if __name__ == "__main__":
    stage(run, Config, "diagnose")
