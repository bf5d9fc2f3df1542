"""Write what a model knows into a teacher table, which is all that distillation reads.

mlflow run . --env-manager local -e export_teacher
mlflow run . --env-manager local -e export_teacher -P teacher_run=<a floor's run> -P folds=5
mlflow run . --env-manager local -e export_teacher -P folds=3     (trains the teacher three times)
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recdistill import checksums, floors, lessons, refits, saved_models, teachers
from recdistill.config import main_fields
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError, require_least
from recdistill.progress import progress_of
from recdistill.runs import stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from recdistill.data import PreparedData
    from recdistill.evaluation import PositionScores, Recommender
    from recdistill.lessons import TeacherTable
    from recdistill.runs import Run, RunReference


@main_fields("teacher_run", "top_k", "select", "folds")
@dataclass(frozen=True)
class Config(OnData):
    """Which model, and how much of what it knows; conf/export_teacher.yaml says the cost."""

    teacher_run: str = "latest"
    top_k: int = 100
    select: str = "all"
    folds: int = 0
    mask_seen: bool = True
    logits: Literal["float16", "float32"] = "float16"
    dllm2rec_files: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        lessons.Selection.parse(self.select)
        require_least("top_k", self.top_k, 1)
        if self.folds < 0 or self.folds == 1:
            raise UserError(f"folds is {self.folds}; use 0 (the model as it is) or at least 2.")


def run(config: Config, run: Run) -> None:
    """Score every training position, keep the top of each list, write and check the table."""
    data = prepare_for(config)
    run.log_data(data)
    teacher_run = run.find(config.teacher_run, *teacher_stages(config), data=data)
    folds = f"f{config.folds}-" if config.folds else ""
    run.rename(teacher_run.name, f"{folds}table")
    run.set_tags({"teacher_run_id": teacher_run.id, "teacher": teacher_run.name})
    inputs = data.inputs() | {"teacher": teacher_run.id}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    folder = teacher_run.artifact("model")
    model = saved_models.load_recommender(folder, data.catalog)
    n_positions = int((data.train.lengths - 1).clip(min=0).sum())
    # Out of fold most of the time goes to the refits, which tell of themselves.
    told = nullcontext() if config.folds else progress_of("export", "positions", n_positions)
    with run.phase("export"), told as line:
        table = lessons.export_table(
            run.folder / "table",
            data,
            lessons.comparable_positions(model, scores(config, model, teacher_run, run, data)),
            teacher_digest=checksums.folder_digest(folder),
            top_k=config.top_k,
            logits=config.logits,
            mask_seen=config.mask_seen,
            select=lessons.Selection.parse(config.select),
            seed=config.seed,
            item_vectors=item_vectors(model),
            # What distilling asks of a language model later, so that it need not be loaded again.
            validate_by=model if isinstance(model, teachers.TeacherRecommender) else None,
            facts={
                "teacher_run_id": teacher_run.id,
                "teacher": teacher_run.name,
                "select": config.select,
                "folds": config.folds,
            },
            report=line.advance if line else None,
        )
    run.log_artifact(table.folder, "table")
    if config.dllm2rec_files:
        lessons.write_dllm2rec(table, run.folder / "dllm2rec", as_torch=True)
        run.log_artifact(run.folder / "dllm2rec", "dllm2rec")
    summary = describe(run, table)
    run.note(summary)
    print(f"{run.name()}: {summary}")


def teacher_stages(config: Config) -> tuple[str, ...]:
    """Take ``latest`` to mean the latest language model; any model can be named."""
    return ("train_teacher",) if config.teacher_run == "latest" else lessons.MODEL_STAGES


def scores(
    config: Config, model: Recommender, made_by: RunReference, run: Run, data: PreparedData
) -> Iterator[PositionScores]:
    """Score positions by the model itself, or by refits that never saw the user."""
    if not config.folds:
        return lessons.score_positions(model, data.train, data.catalog.n_items)
    if made_by.stage == "distill":
        raise UserError(
            f"{made_by.name} is a distilled student: folds={config.folds} would have to refit its "
            "teachers too; export it with folds=0, or name a floor, a baseline or a teacher."
        )

    def refit(others: PreparedData, fold: int) -> Recommender:
        if not isinstance(model, floors.Floor):
            users = f"{len(others.train)} users"
            print(f"export_teacher: fold {fold + 1} of {config.folds}, {users}", flush=True)
        return refits.refit(
            model, made_by, run, others, Path(run.checkpoint_folder) / f"fold-{fold}"
        )

    return lessons.out_of_fold_scores(refit, data, n_folds=config.folds, seed=config.seed)


def item_vectors(model: Recommender) -> np.ndarray[Any, Any] | None:
    """Return what the teacher knows of every item, where it has vectors."""
    if isinstance(model, teachers.TeacherRecommender):
        return model.item_vectors().float().cpu().numpy()
    return None


def describe(run: Run, table: TeacherTable) -> str:
    """Log the table's size and how right the teacher is on it, and say so."""
    rows = table.join(*table.keys)
    size = sum(entry["bytes"] for entry in table.manifest["files"].values()) / 1e6
    listed = float((rows.target_rank <= table.top_k).mean())
    top = float((rows.target_rank < 1.5).mean())
    run.log_metrics(
        {
            "table/n_rows": table.n_rows,
            "table/top_k": table.top_k,
            "table/size_mb": size,
            "table/target_in_list": listed,
            "table/target_on_top": top,
            "table/mean_reliability": float(rows.reliability.mean()),
        }
    )
    return (
        f"{table.n_rows} positions, top {table.top_k}, {size:.1f} MB; the true item is in the "
        f"list for {listed:.1%} and on top for {top:.1%}."
    )


if __name__ == "__main__":
    stage(run, Config, "export_teacher")
