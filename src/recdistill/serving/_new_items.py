"""A student packaged with items that came after its training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import grow_catalog, training_counts
from recdistill.encoders import vectors_of_new_items
from recdistill.errors import UserError
from recdistill.object_store import local_copy
from recdistill.serving._package import gather_student
from recdistill.serving._rules import NEWEST, STUDENTS
from recdistill.students import append_items, load_model, save_model

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import DataConfig, PreparedData
    from recdistill.runs import Run, RunFinder, RunReference


@dataclass(frozen=True)
class Package:
    """What is served of a model run.

    Attributes
    ----------
    student : Path
        The gathered folder.
    data : PreparedData
        The model's, on the catalog that is served: ids of the old items did not move.
    n_new : int
        Items that training did not know.
    """

    student: Path
    data: PreparedData
    n_new: int = 0

    @property
    def parent_digest(self) -> str:
        """Digest of the catalog that the model was trained on; empty where it is the same."""
        return self.data.catalog.parent if self.n_new else ""


def find_student(name: str, finder: RunFinder, data: PreparedData) -> RunReference:
    """Resolve the run of a student on this data: by id or name, or the newest that is served."""
    stages = NEWEST if name == "latest" else STUDENTS
    return finder.find(name, *stages, data=data)


def package_student(
    student_run: RunReference,
    data: PreparedData,
    run: Run,
    *,
    new_items: str = "",
    config: DataConfig,
) -> Package:
    """Gather a student and its catalog, grown by the new rows of an item file where one is named.

    New items get vectors by the encoder that the student's texts came from, and the shift of scores
    learnt on validation, as do items of the catalog that training never met.

    Parameters
    ----------
    student_run : the run that trained it
    data : PreparedData
        The student's.
    run : the run that packages: its scratch folder takes the files, and it finds the run of a
        teacher whose language model made the vectors
    new_items : path of an item file; empty for none
    config : DataConfig
        How the file is read.

    Raises
    ------
    UserError
        When there is nothing new, or the student cannot place new items.
    """
    model, folder, own = student_run.artifact("model"), run.folder, data.folder / "catalog.csv"
    if not new_items:
        never_met = np.flatnonzero(training_counts(data.train, data.catalog.n_items) == 0)
        student = gather_student(model, own, folder / "student", never_met=never_met[1:].tolist())
        return Package(student, data)
    trained = load_model(model, data.catalog)
    listed = local_copy(new_items, folder / "new_items", "new_items")
    grown = grow_catalog(data.catalog, listed, config)
    n_known = data.catalog.n_items
    if trained.text is None:
        raise UserError(
            "This student knows items by their ids alone, so it cannot place new ones: train one "
            "with student.item=id+text (or text)."
        )
    vectors = vectors_of_new_items(trained.text.about, grown, n_known, run)
    save_model(append_items(trained, vectors, grown.digest), folder / "grown")
    grown.items.reset_index().to_csv(folder / "catalog.csv", index=False)
    met = training_counts(data.train, grown.n_items)
    student = gather_student(
        folder / "grown",
        folder / "catalog.csv",
        folder / "student",
        never_met=np.flatnonzero(met == 0)[1:].tolist(),
    )
    return Package(student, replace(data, catalog=grown), grown.n_items - n_known)
