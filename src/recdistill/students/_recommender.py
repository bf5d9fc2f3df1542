"""A student bound to its catalog: what gets evaluated, saved, distilled and served."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file
from safetensors.torch import load_model as load_weights
from safetensors.torch import save_model as save_weights

from recdistill.errors import UserError
from recdistill.students._config import StudentConfig, build_student
from recdistill.students._item_table import TextMap
from recdistill.students._model import score_histories

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from recdistill.data import Catalog, Sequences
    from recdistill.students._model import SequentialModel

# 2: states no longer depend on how many items follow.
_FORMAT = 2
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

    def score(self, histories: Sequences) -> Tensor:
        """Return scores [n_rows, n_items + 1]; column 0 is -inf, the history is not masked."""
        return score_histories(self.model, histories)


def save_model(model: StudentRecommender, folder: Path) -> None:
    """Write ``config.json`` and ``weights.safetensors`` into ``folder``.

    A student trained with texts also leaves ``text.safetensors``, its ``TextMap``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(model.model, str(folder / "weights.safetensors"))
    if model.text is not None:
        save_file({"projection": model.text.projection.contiguous()}, folder / _TEXT)
    config = {
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
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def load_model(folder: Path, catalog: Catalog) -> StudentRecommender:
    """Read a student back.

    Raises
    ------
    UserError
        If ``folder`` holds no student, or one of another catalog or of another format.
    """
    student, _ = read_student(folder)
    catalog.require(student.catalog_digest, f"the student in {folder}")
    return student


def read_student(folder: Path, device: str = "cpu") -> tuple[StudentRecommender, dict[str, Any]]:
    """Read a student and its ``config.json``; whether it fits a catalog is left to the caller.

    Raises
    ------
    UserError
        If ``folder`` holds no student, or one of another format.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); name the folder of a model.") from None
    if config.get("family") != "student" or config.get("format") != _FORMAT:
        raise UserError(
            f"{folder} holds a {config.get('family')} of format {config.get('format')}, "
            f"not a student of format {_FORMAT}: train it again, or use the release that wrote it."
        )
    student = StudentConfig(**config["student"])
    model = build_student(student, config["n_items"], seed=0)
    load_weights(model, str(folder / "weights.safetensors"))
    model.to(device).eval()
    text = None
    if "text" in config:
        text = TextMap(load_file(folder / _TEXT)["projection"], config["text"])
    read = StudentRecommender(
        model, student, config["catalog_digest"], config["split_digest"], text
    )
    return read, config
