"""A student bound to its catalog: what gets evaluated, saved, distilled and served."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_model as load_weights
from safetensors.torch import save_file
from safetensors.torch import save_model as save_weights

from recdistill.checksums import (
    read_description,
    read_tensors,
    understanding,
    write_description,
)
from recdistill.errors import UserError
from recdistill.students._build import build_student
from recdistill.students._config import StudentConfig
from recdistill.students._item_table import TextMap
from recdistill.students._score import score_histories

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from recdistill.data import Catalog, Sequences
    from recdistill.students._model import SequentialModel
    from recdistill.students._query_time import QueryTime

# 2: states no longer depend on how many items follow. 3: with checksums.
_FORMAT, _READABLE = 3, (2, 3)
_WEIGHTS = "weights.safetensors"
_TEXT = "text.safetensors"


@dataclass
class StudentRecommender:
    """A student with the digests of what it was trained on; an ``evaluation.Recommender``.

    Attributes
    ----------
    model : SequentialModel
    config : StudentConfig
    catalog_digest, split_digest : str
    text : TextMap, optional
        Of a student trained with texts. Its table holds them already; the map places later items.
    """

    model: SequentialModel
    config: StudentConfig
    catalog_digest: str
    split_digest: str
    text: TextMap | None = None

    @property
    def query_time(self) -> QueryTime:
        """What the student must be told of the time; see ``evaluation.Recommender``."""
        return self.model.query_time

    def score(self, histories: Sequences) -> Tensor:
        """Return scores [n_rows, n_items + 1]; column 0 is -inf, the history is not masked."""
        return score_histories(self.model, histories)


def save_model(model: StudentRecommender, folder: Path) -> None:
    """Write ``config.json`` and ``weights.safetensors`` into ``folder``.

    A student trained with texts also leaves ``text.safetensors``, its ``TextMap``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(model.model, str(folder / _WEIGHTS))
    if model.text is not None:
        kept = {"projection": model.text.projection, "texts": model.text.texts}
        tensors = {name: one.contiguous() for name, one in kept.items() if one is not None}
        save_file(tensors, folder / _TEXT)
    config: dict[str, Any] = {
        "format": _FORMAT,
        "family": "student",
        "kind": model.config.kind,
        "student": asdict(model.config),
        "n_items": model.model.n_items,
        "catalog_digest": model.catalog_digest,
        "split_digest": model.split_digest,
    }
    if model.text is not None:
        config["text"] = dict(model.text.about)
        config["new_item_shift"] = model.text.shift
        config["new_item_length"] = model.text.length
    files = [_WEIGHTS] if model.text is None else [_WEIGHTS, _TEXT]
    write_description(folder / "config.json", config, files)


def load_model(folder: Path, catalog: Catalog) -> StudentRecommender:
    """Read a student back.

    Raises
    ------
    UserError
        If ``folder`` holds no student, or one of another catalog or of another format, or one
        that is not as it was written.
    """
    student, config = read_student(folder)
    catalog.require(str(student.catalog_digest), f"the student in {folder}")
    if config["n_items"] != catalog.n_items:
        raise UserError(
            f"The student in {folder} has {config['n_items']} items, not the catalog's."
        )
    return student


def read_student(folder: Path, device: str = "cpu") -> tuple[StudentRecommender, dict[str, Any]]:
    """Read a student and its ``config.json``; whether it fits a catalog is left to the caller.

    Raises
    ------
    UserError
        If ``folder`` holds no student, one of another format, or one that is not as it was written.
    """
    path = folder / "config.json"
    config = read_description(path, "student", formats=_READABLE, checked_from=3)
    if config.get("family") != "student":
        raise UserError(f"{folder} holds a {config.get('family')}, not a student.")
    read_tensors(folder / _WEIGHTS, "student")  # every number a number
    with understanding(path, "student"):
        student = StudentConfig(**config["student"])
        model = build_student(student, config["n_items"], seed=0)
        load_weights(model, str(folder / _WEIGHTS))
        model.to(device).eval()
        text = None
        if "text" in config:
            tensors = read_tensors(folder / _TEXT, "student")
            text = TextMap(
                tensors["projection"],
                config["text"],
                config.get("new_item_shift"),
                tensors.get("texts"),
                config.get("new_item_length", 0.0),
            )
        read = StudentRecommender(
            model, student, config["catalog_digest"], config["split_digest"], text
        )
    return read, config
