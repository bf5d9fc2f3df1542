"""The runs that a student learns from: its baseline, tables of teachers, or a transfer set."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recdistill.errors import UserError
from recdistill.lessons._config import MODEL_STAGES, NO_TABLE
from recdistill.text_runs import Texts, texts_of
from recdistill.training import find_baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data import PreparedData
    from recdistill.runs import RunFinder, RunReference


@dataclass(frozen=True)
class Sources:
    """What a student learns from, as runs.

    Attributes
    ----------
    baseline : RunReference
        Whose recipe the student is trained by.
    tables, teachers : lists of RunReference, one per teacher
        The exports, and the models they were made from.
    weights : list of float, or None
        Of the teachers, as asked for; None: to be picked on validation.
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
        """Tags for a run, saying what it learned from."""
        tags = {
            "baseline_run_id": self.baseline.id,
            "teacher_run_id": ",".join(t.id for t in self.teachers),
            "table_run_id": ",".join(t.id for t in self.tables),
        }
        if self.transfer:
            tags["transfer_run_id"] = self.transfer.id
        return tags | self.texts.tags()

    def inputs(self) -> dict[str, str]:
        """Ids of all runs read and the weights asked for, for a stage's content key."""
        inputs = {"baseline": self.baseline.id, "tables": ",".join(t.id for t in self.tables)}
        inputs |= weights_input(self.weights)
        return inputs | ({"transfer": self.transfer.id} if self.transfer else {})

    def all_teachers(self) -> list[RunReference]:
        """Return the runs a student is measured against: all of its teachers together first."""
        return [*([self.transfer] if self.transfer else []), *self.teachers]


def find_sources(
    baseline_run: str, teacher_run: str, run: RunFinder, data: PreparedData, transfer_run: str = ""
) -> Sources:
    """Resolve the baseline, and the tables with the teachers that wrote them or a transfer set."""
    baseline = find_baseline(baseline_run, run, data)
    texts = texts_of(baseline, run, data)
    if transfer_run:
        made = run.find(transfer_run, "make_transfer_set", data=data)
        return Sources(baseline, [], [], None, made, texts)
    if teacher_run == NO_TABLE:
        return Sources(baseline, [], [], None, texts=texts)
    references, weights = weighted_references(teacher_run)
    tables = [find_table(run, reference, data) for reference in references]
    teachers = [run.find(t.tags["teacher_run_id"], *MODEL_STAGES, data=data) for t in tables]
    return Sources(baseline, tables, teachers, weights, texts=texts)


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


def weights_input(weights: Sequence[float] | None) -> dict[str, str]:
    """Name the weights that were asked for, for a stage's content key; picked ones follow from it.

    In the order of the teachers, whose ids stand there too.
    """
    return {"weights": ",".join(map(str, weights))} if weights else {}


def teacher_names(teachers: Sequence[RunReference]) -> list[str]:
    """Name teachers so that MLflow takes the names as keys, and no two have the same.

    A run is called what its user likes; another seed of a recipe may have the same name.
    """
    names = [re.sub(r"[^\w.\- ]", "_", teacher.name) for teacher in teachers]
    return [
        f"{name} {teacher.id[:8]}" if names.count(name) > 1 else name
        for name, teacher in zip(names, teachers, strict=True)
    ]


def find_table(run: RunFinder, reference: str, data: PreparedData) -> RunReference:
    """Find an export by its own name, or by that of the teacher it was made from."""
    if reference == "latest":
        return run.find(reference, "export_teacher", data=data)
    found = run.find(reference, "export_teacher", *MODEL_STAGES, data=data)
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
