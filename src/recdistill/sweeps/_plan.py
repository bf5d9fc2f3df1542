"""A study made of a sweep's settings: the swept stage's own settings, and the space over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recdistill.config import as_plain, changed_part, parse, stage_module
from recdistill.data import OnData
from recdistill.lessons import NO_TABLE, find_sources
from recdistill.sweeps._read_space import read_space
from recdistill.sweeps._settings import with_settings
from recdistill.sweeps._stage import space_of, trial_code
from recdistill.sweeps._study import COST, StudySpec
from recdistill.training import baseline_settings, find_baseline, load_recipe

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.lessons import Sources
    from recdistill.runs import Run, RunReference
    from recdistill.sweeps._config import SweepSettings


def plan_study(settings: SweepSettings, run: Run, data: PreparedData) -> StudySpec:
    """Resolve baseline and teachers, the stage's own settings, and the space over them."""
    baseline = find_baseline(settings.baseline_run, run, data)
    references = {"baseline": _validation(baseline)}
    tables = teachers = ""
    if settings.stage == "train_baseline":
        swept = baseline_settings(baseline, _asked_of_data(settings))
    else:
        sources = find_sources(baseline.id, settings.teacher_run, run, data, settings.transfer_run)
        tables = _table_references(sources)
        teachers = ",".join(teacher.id for teacher in sources.all_teachers())
        measured = [_validation(teacher) for teacher in sources.all_teachers()]
        references["teacher"] = max(measured, key=lambda m: m.get("val/ndcg_at_10", 0.0))
        swept = _distill_settings(settings, sources, tables)
    default_space = ""
    if settings.transfer_run and settings.stage == "distill":
        default_space = "control" if settings.control == "no_lists" else "transfer"
    metric = f"val/{settings.objective}_at_10"
    spec = StudySpec(
        stage=settings.stage,
        settings=as_plain(swept),
        space=read_space(settings.space or default_space, settings.stage),
        objectives=[metric, COST] if settings.cost else [metric],
        seed=settings.seed,
        catalog_digest=data.catalog.digest,
        split_digest=data.split_digest,
        dataset=data.dataset,
        split=str(data.manifest["split"]),
        baseline=baseline.id,
        tables=tables,
        teachers=teachers,
        references=references,
        sampler=settings.sampler,
        pruner=settings.pruner,
        n_startup=settings.n_startup,
        heartbeat_seconds=settings.heartbeat_seconds,
        code=trial_code(settings.stage),
    )
    space_of(spec)  # a knob that does not exist is refused before anything is written
    return spec


def _distill_settings(settings: SweepSettings, sources: Sources, tables: str) -> Any:
    """Return distill's own settings on this data, where they are open like the baseline's."""
    loop = load_recipe(sources.baseline.artifact("model")).loop
    own = parse(stage_module("distill").Config, "distill", [], _asked_of_data(settings))
    # Epochs over a transfer set are others than the control's without one.
    n_epochs = None if sources.transfer else loop.max_epochs
    return with_settings(
        own,
        {
            "baseline_run": sources.baseline.id,
            "teacher_run": tables or NO_TABLE,
            "transfer_run": sources.transfer.id if sources.transfer else "",
            "control": settings.control,
            "lr": loop.optimizer.lr if own.lr is None else own.lr,
            "max_epochs": n_epochs if own.max_epochs is None else own.max_epochs,
        },
    )


def _asked_of_data(settings: SweepSettings) -> dict[str, Any]:
    """Return what was asked of the data: the rest is left to the swept stage's own files."""
    return changed_part(settings, OnData, always=("dataset", "preset", "seed"))


def _table_references(sources: Sources) -> str:
    """Name the tables by their ids, with the weights that were asked for."""
    names = [table.id for table in sources.tables]
    if sources.weights:
        names = [f"{n}:{weight:g}" for n, weight in zip(names, sources.weights, strict=True)]
    return ",".join(names)


def _validation(reference: RunReference) -> dict[str, float]:
    """Pick what a run scored on validation."""
    names = ("val/recall_at_10", "val/ndcg_at_10")
    return {name: reference.metrics[name] for name in names if name in reference.metrics}
