"""A student packaged with items that came after its training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recdistill.data import grow_catalog, training_counts
from recdistill.encoders import vectors_of_new_items
from recdistill.errors import UserError
from recdistill.serving._package import gather_student
from recdistill.students import append_items, load_model, save_model

if TYPE_CHECKING:
    from recdistill.data import DataConfig, PreparedData
    from recdistill.runs import RunFinder


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


def package_student(
    model: Path,
    data: PreparedData,
    folder: Path,
    *,
    new_items: str = "",
    config: DataConfig,
    finder: RunFinder,
) -> Package:
    """Gather a student and its catalog, grown by the new rows of an item file where one is named.

    New items get vectors by the encoder that the student's texts came from, and the shift of scores
    that validation taught, as do items of the catalog that training never met.

    Parameters
    ----------
    model : the ``model/`` folder of a run
    data : PreparedData
        The student's.
    folder : empty; a scratch folder
    new_items : path of an item file; empty for none
    config : DataConfig
        How the file is read.
    finder : finds the run of a teacher whose language model made the vectors

    Raises
    ------
    UserError
        When there is nothing new, or the student cannot place new items.
    """
    own = data.folder / "catalog.csv"
    if not new_items:
        never_met = np.flatnonzero(training_counts(data.train, data.catalog.n_items) == 0)
        student = gather_student(model, own, folder / "student", never_met=never_met[1:].tolist())
        return Package(student, data)
    trained = load_model(model, data.catalog)
    grown = grow_catalog(data.catalog, Path(new_items).expanduser(), config)
    n_known = data.catalog.n_items
    if trained.text is None:
        raise UserError(
            "This student knows items by their ids alone, so it cannot place new ones: train one "
            "with student.item=id+text (or text)."
        )
    vectors = vectors_of_new_items(trained.text.about, grown, n_known, finder)
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
