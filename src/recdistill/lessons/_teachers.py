"""Lessons for any settings, out of a run's sources that are read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from recdistill import students
from recdistill.errors import UserError
from recdistill.evaluation import evaluate
from recdistill.lessons._join import join_tables
from recdistill.lessons._lessons import Lessons
from recdistill.lessons._pool import weigh
from recdistill.lessons._selection import select, view_training
from recdistill.lessons._sources import teacher_names
from recdistill.lessons._table import TeacherTable
from recdistill.lessons._transfer_set import load_transfer_set
from recdistill.saved_models import load_recommender

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.lessons._config import SelectionConfig
    from recdistill.lessons._selection import BaselineView
    from recdistill.lessons._sources import Sources


class Teachers(Protocol):
    """What gives lessons: tables, a transfer set, or no teacher at all.

    Attributes
    ----------
    weights : dict of float by the teacher's name
    """

    weights: dict[str, float]

    def lessons(
        self, k: int, *, min_coverage: float, selection: SelectionConfig, seed: int
    ) -> Lessons:
        """Return lists of ``k`` items for the selected positions.

        Raises
        ------
        UserError
            When fewer than ``min_coverage`` of the targets have a list.
        """
        ...

    def measured(self) -> dict[str, float]:
        """Return what is known of the teachers together, as metrics by name."""
        ...


def open_teachers(sources: Sources, data: PreparedData) -> Teachers:
    """Open what the sources name; joins and weights are computed once and kept."""
    if sources.transfer:
        return TransferTeachers(load_transfer_set(sources.transfer.artifact("transfer_set"), data))
    return TableTeachers(sources, data) if sources.tables else NoTeachers(data)


class NoTeachers:
    """No teacher and no lists; see ``Teachers``.

    Parameters
    ----------
    data : PreparedData
    """

    def __init__(self, data: PreparedData) -> None:
        self.weights: dict[str, float] = {}
        self._nothing = Lessons.none(data.train)

    def lessons(
        self, k: int, *, min_coverage: float, selection: SelectionConfig, seed: int
    ) -> Lessons:
        """See ``Teachers``."""
        return self._nothing

    def measured(self) -> dict[str, float]:
        """See ``Teachers``."""
        return {}


class TransferTeachers:
    """The lessons of a transfer set; see ``Teachers``.

    Parameters
    ----------
    made : Lessons
        About views of all histories.
    """

    def __init__(self, made: Lessons) -> None:
        self.weights: dict[str, float] = {}
        self._made = made

    def lessons(
        self, k: int, *, min_coverage: float, selection: SelectionConfig, seed: int
    ) -> Lessons:
        """See ``Teachers``; a transfer set covers every position and is not selected from."""
        return self._made.shortened(k)

    def measured(self) -> dict[str, float]:
        """See ``Teachers``."""
        return {}


class TableTeachers:
    """Teachers weighed against each other and their tables joined; see ``Teachers``.

    Parameters
    ----------
    sources : Sources
    data : PreparedData
    """

    def __init__(self, sources: Sources, data: PreparedData) -> None:
        self._sources, self._data = sources, data
        self._tables = [TeacherTable.open(t.artifact("table"), data) for t in sources.tables]
        self._pool = weigh(self._models(), data, sources.weights)
        names = teacher_names(sources.teachers)
        self.weights = dict(zip(names, self._pool.weights, strict=True))
        self._joined: dict[tuple[int, float], Lessons] = {}
        self._baseline: dict[int, BaselineView] = {}

    def lessons(
        self, k: int, *, min_coverage: float, selection: SelectionConfig, seed: int
    ) -> Lessons:
        """See ``Teachers``."""
        if (k, min_coverage) not in self._joined:
            self._joined[k, min_coverage] = join_tables(
                self._tables, self._pool.weights, self._data, k=k, min_coverage=min_coverage
            )
        if selection.asks_baseline and k not in self._baseline:
            folder = self._sources.baseline.artifact("model")
            model = students.load_model(folder, self._data.catalog).model
            self._baseline[k] = view_training(model, self._data.train, k)
        return select(selection, self._joined[k, min_coverage], self._baseline.get(k), seed=seed)

    def measured(self) -> dict[str, float]:
        """See ``Teachers``."""
        data = self._data
        on_validation = evaluate(self._pool, data.val, data.catalog, data.train)
        return {"teacher/val_ndcg_at_10": on_validation.metrics()["ndcg_at_10"]}

    def _models(self) -> list[Recommender]:
        """Return what scores the validation cases for each teacher, mostly without loading it.

        A language model's table has its scores beside it; floors and students load in no time.
        """
        return [
            table.validation(self._data)
            or load_recommender(teacher.artifact("model"), self._data.catalog)
            for table, teacher in zip(self._tables, self._sources.teachers, strict=True)
        ]


def item_vectors(sources: Sources, data: PreparedData) -> NDArray[Any]:
    """Take the item vectors of the first table that has some, shape [n_items + 1, dim].

    Raises
    ------
    UserError
        When no table has item vectors.
    """
    for reference in sources.tables:
        vectors = TeacherTable.open(reference.artifact("table"), data, verify=False).item_embeddings
        if vectors is not None:
            return vectors.copy()
    raise UserError(
        "fusion_weight needs a teacher with item vectors, and none of these tables has any (floors "
        "have none): add a language model's table to teacher_run, or set fusion_weight=0."
    )
