"""Any saved model back behind the one interface, whatever room it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill import floors, students, teachers
from recdistill.checksums import parse_description
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Catalog
    from recdistill.evaluation import Recommender


def load_recommender(folder: Path, catalog: Catalog, *, with_times: bool = False) -> Recommender:
    """Read the ``model/`` folder of a run.

    Parameters
    ----------
    with_times : bool
        Whether who asks has times for a student that reads them.

    Raises
    ------
    UserError
        When the folder holds no model of ours, one made for another catalog, or one that reads
        times which it would not get.
    """
    # The room that it belongs to compares its checksums; here it only says which that is.
    family = parse_description(folder / "config.json", "model").get("family")
    if family == "floor":
        return floors.load_model(folder, catalog)
    if family == "student":
        student = students.load_model(folder, catalog)
        if not with_times:
            name = f"The student in {folder}"
            students.require_no_times(student.query_time, name, "a teacher or a champion")
        return student
    if family == "teacher":
        return teachers.load_model(folder, catalog)
    raise UserError(f"{folder} holds a model of family {family!r}, which cannot be scored here.")
