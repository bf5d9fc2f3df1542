"""The runs a student learns from: its baseline, the teachers' tables, the teachers themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from projects._texts import Texts, texts_of
from recdistill import students
from recdistill.errors import UserError
from recdistill.lessons import (
    JoinReport,
    Lessons,
    Pool,
    TeacherTable,
    TransferSet,
    join_tables,
    pool,
    select,
    view_training,
)
from recdistill.saved_models import load_recommender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.lessons import BaselineView, SelectionConfig
    from recdistill.runs import Run, RunReference

MODELS = ("train_baseline", "train_teacher", "distill")
NO_TABLE = "none"


@dataclass(frozen=True)
class Taught:
    """What came in from other runs.

    Attributes
    ----------
    baseline : RunReference
    tables, teachers : lists of RunReference, one per teacher
        The exports, and the models they were made from.
    weights : list of float, or None
        As asked for; None: to be picked on validation.
    transfer : RunReference, optional
        The transfer set that takes the tables' place.
    texts : Texts
        What the baseline was trained on beside ids; the student is, too.
    """

    baseline: RunReference
    tables: list[RunReference]
    teachers: list[RunReference]
    weights: list[float] | None
    transfer: RunReference | None = None
    texts: Texts = field(default_factory=Texts)

    def tags(self) -> dict[str, str]:
        """Say on a run what it was taught by."""
        tags = {
            "baseline_run_id": self.baseline.id,
            "teacher_run_id": ",".join(t.id for t in self.teachers),
            "table_run_id": ",".join(t.id for t in self.tables),
        }
        if self.transfer:
            tags["transfer_run_id"] = self.transfer.id
        return tags | self.texts.tags()

    def transfer_set(self, data: PreparedData) -> TransferSet | None:
        """Read the transfer set, where there is one."""
        if self.transfer is None:
            return None
        return TransferSet.load(self.transfer.artifact("transfer_set"), data)

    def all_teachers(self) -> list[RunReference]:
        """Return the runs a student is measured against: all of its teachers together first."""
        return [*([self.transfer] if self.transfer else []), *self.teachers]


class School:
    """The teachers weighed and their tables open: lessons for any settings, joined once each.

    Parameters
    ----------
    taught : Taught
    data : PreparedData

    Attributes
    ----------
    weighed : Pool
        The teachers' weights, as asked for or picked on validation.
    """

    def __init__(self, taught: Taught, data: PreparedData) -> None:
        self._taught, self._data = taught, data
        self._tables = [TeacherTable.open(t.artifact("table"), data) for t in taught.tables]
        self.weighed = Pool((), (), 0.0)
        if self._tables:
            members = judges(self._tables, taught.teachers, data)
            self.weighed = pool(members, data, taught.weights)
        self._joined: dict[tuple[int, float], tuple[Lessons, JoinReport]] = {}
        self._views: dict[int, BaselineView] = {}

    def lessons(self, k: int, min_coverage: float) -> tuple[Lessons, JoinReport]:
        """Join the tables with the training targets, ``k`` items of each list."""
        if not self._tables:
            n_targets = int(np.maximum(self._data.train.lengths - 1, 0).sum())
            return Lessons.none(self._data.train), JoinReport(n_targets, 0)
        if (k, min_coverage) not in self._joined:
            self._joined[k, min_coverage] = join_tables(
                self._tables, self.weighed.factors, self._data, k=k, min_coverage=min_coverage
            )
        return self._joined[k, min_coverage]

    def chosen(self, lessons: Lessons, config: SelectionConfig, k: int, *, seed: int) -> Lessons:
        """Spend the budget; what needs the baseline's own lists gets them, computed once."""
        if config.policy in ("uncertain", "disagreement") and k not in self._views:
            before = students.load_model(
                self._taught.baseline.artifact("model"), self._data.catalog
            )
            self._views[k] = view_training(before.model, self._data.train, k)
        return select(config, lessons, self._views.get(k), seed=seed)


def judges(
    tables: Sequence[TeacherTable], teachers: Sequence[RunReference], data: PreparedData
) -> list[Recommender]:
    """Return what scores the validation cases for each teacher, mostly without loading it.

    A language model's table has its scores beside it; floors and students are loaded in no time.
    """
    return [
        table.validation(data) or load_recommender(teacher.artifact("model"), data.catalog)
        for table, teacher in zip(tables, teachers, strict=True)
    ]


def find_runs(
    baseline_run: str, teacher_run: str, run: Run, data: PreparedData, transfer_run: str = ""
) -> Taught:
    """Resolve the baseline, and the tables with the teachers that wrote them or a transfer set."""
    baseline = run.find(baseline_run, "train_baseline", data=data)
    texts = texts_of(baseline, run, data)
    if transfer_run:
        made = run.find(transfer_run, "make_transfer_set", data=data)
        return Taught(baseline, [], [], None, made, texts)
    if teacher_run == NO_TABLE:
        return Taught(baseline, [], [], None, texts=texts)
    references, weights = weighted_references(teacher_run)
    tables = [find_table(run, reference, data) for reference in references]
    teachers = [run.find(t.tags["teacher_run_id"], *MODELS, data=data) for t in tables]
    return Taught(baseline, tables, teachers, weights, texts=texts)


def weighted_references(text: str) -> tuple[list[str], list[float] | None]:
    """Take ``run,run`` or ``run:0.6,run:0.4`` apart; no weights are None.

    Raises
    ------
    UserError
        When some have a weight and some have none, or one is no number.
    """
    parts = [part.strip() for part in text.split(",")]
    pairs = [part.rpartition(":") if ":" in part else (part, "", "") for part in parts]
    weights = [weight for _, _, weight in pairs]
    if any(weights) and not all(weights):
        raise UserError(
            f"teacher_run={text} gives a weight to some teachers only: give one to each "
            "(run:weight), or none and have them picked on validation."
        )
    try:
        return [name for name, _, _ in pairs], [float(w) for w in weights] if any(weights) else None
    except ValueError:
        raise UserError(
            f"teacher_run={text} has a weight that is no number; write run:0.6."
        ) from None


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
