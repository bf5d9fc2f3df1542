"""The model that goes on, as it was when its training ended."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from recdistill import floors
from recdistill.checksums import parse_description
from recdistill.data import ancestor_of_split
from recdistill.errors import UserError
from recdistill.evaluation import compare_paired, evaluate
from recdistill.training import load_recipe
from recdistill.updating._changes import count_on
from recdistill.updating._frozen import catalog_of, load_frozen

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData
    from recdistill.evaluation import Evaluation, PairedTest, Recommender
    from recdistill.floors import Floor
    from recdistill.training import StudentRecipe


@dataclass(frozen=True)
class Champion:
    """A saved model, and the data of now; a teacher that is older than the data is one, too.

    Attributes
    ----------
    name : str
        By which sentences call it.
    folder : Path
    data : PreparedData
        Which may have grown from what it was trained on.
    """

    name: str
    folder: Path
    data: PreparedData

    @cached_property
    def _described(self) -> dict[str, object]:
        return parse_description(self.folder / "config.json", "model")

    @property
    def is_floor(self) -> bool:
        """Whether it counts, and is not trained."""
        return self._described.get("family") == "floor"

    @cached_property
    def recipe(self) -> StudentRecipe:
        """By which a student was trained."""
        return load_recipe(self.folder)

    @cached_property
    def before(self) -> PreparedData | None:
        """What it was trained on, where the data of now grew from that."""
        return ancestor_of_split(self.data, str(self._described.get("split_digest")))

    def trained_on(self) -> PreparedData:
        """Return what it was trained on.

        Raises
        ------
        UserError
            When the data of now did not grow from that.
        """
        if self.before is None:
            raise UserError(
                f"{self.data.folder} did not grow from what '{self.name}' was trained on: prepare "
                "the data with extends, name another champion_run, or train anew with full=true."
            )
        return self.before

    def counted_on(self) -> Floor:
        """Bring a floor to the data of now; the same as a refit, which it is without a past."""
        known = catalog_of(self.folder, self.data.catalog) or self.data.catalog
        floor = floors.load_model(self.folder, known)
        if self.before is None:
            return floors.refit(floor, self.data.train, self.data.catalog)
        return count_on(floor, self.before, self.data)

    def as_teacher(self) -> Recommender:
        """Return the model on the data of now without a training: floors count on.

        Others are as they were: they say nothing of items that are new to them.
        """
        if self.is_floor and self.trained_on().split_digest != self.data.split_digest:
            return self.counted_on()
        return load_frozen(self.folder, self.data.catalog)

    def beside(self, test: Evaluation) -> PairedTest | None:
        """Test a model of now against this one as it was, on the same users.

        Returns
        -------
        PairedTest of NDCG@10, or None where the champion is of an unrelated catalog.
        """
        data = self.data
        if catalog_of(self.folder, data.catalog) is None:
            return None
        was = evaluate(load_frozen(self.folder, data.catalog), data.test, data.catalog, data.train)
        return compare_paired([test.per_user], [was.per_user], metric="ndcg")
