"""The item vectors that a student with texts is trained on: a run of embed_items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.texts import ItemVectors

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import RunFinder, RunReference


@dataclass(frozen=True)
class Texts:
    """A run of embed_items, or none for a student of ids alone."""

    made_by: RunReference | None = None

    def inputs(self) -> dict[str, str]:
        """Name what the run adds to a stage's inputs."""
        return {"texts": self.made_by.id} if self.made_by else {}

    def tags(self) -> dict[str, str]:
        """Say on a run which texts it was trained on."""
        return {"text_run_id": self.made_by.id} if self.made_by else {}

    def vectors(self, data: PreparedData) -> ItemVectors | None:
        """Read the vectors; another catalog's are refused."""
        if self.made_by is None:
            return None
        return ItemVectors.load(self.made_by.artifact("vectors"), data.catalog)


def find_texts(reference: str, item: str, finder: RunFinder, data: PreparedData) -> Texts:
    """Find the vectors that a student of such items needs."""
    if item == "id":
        return Texts()
    return Texts(finder.find(reference, "embed_items", data=data))


def texts_of(trained: RunReference, finder: RunFinder, data: PreparedData) -> Texts:
    """Find the vectors that a finished run was trained on."""
    made_by = trained.tags.get("text_run_id")
    return Texts(finder.find(made_by, "embed_items", data=data)) if made_by else Texts()
