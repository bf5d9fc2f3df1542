"""A student and its catalog as an MLflow model that needs nothing of this repository."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow

from recdistill.checksums import parse_description, write_description
from recdistill.errors import UserError
from recdistill.serving._names import ItemNames
from recdistill.serving._served_model import SIGNATURE
from recdistill.serving._top_k import FILES
from recdistill.students import read_student, require_no_times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What the served model runs; it travels with it, so that serving needs no checkout.
_CODE = (
    "__init__.py",
    "_lazy.py",
    "checksums.py",
    "errors.py",
    "serving/__init__.py",
    "serving/_model_code.py",
    "serving/_names.py",
    "serving/_served_model.py",
    "serving/_top_k.py",
    "students",
)
_NEEDS = ("mlflow", "numpy", "pandas", "safetensors", "torch")
_EXAMPLE_LENGTH = 3


def gather_student(
    model: Path, catalog: Path, folder: Path, *, never_met: Sequence[int] = ()
) -> Path:
    """Put into ``folder`` what is served: the student's files and its catalog.

    Parameters
    ----------
    model : the ``model/`` folder of a run
    catalog : the ``catalog.csv`` of its prepared data
    never_met : items without an interaction in its training: their scores are shifted where the
        student has learnt by how much

    Raises
    ------
    UserError
        When ``model`` is no student (floors and teachers are not served), or one that reads
        times, which requests do not say.
    """
    config = parse_description(model / "config.json", "model")
    if config.get("family") != "student":
        raise UserError(
            f"{model} holds a {config.get('family', 'model of no known family')}, and only "
            "students are served: name a run of distill, or of train_baseline with "
            "a student as its model."
        )
    student, config = read_student(model)  # whole, or this ends here
    require_no_times(student.query_time, f"The student in {model}", "served")
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in (*FILES, "text.safetensors") if (model / name).is_file()]
    for name in {*names, catalog.name}:
        shutil.copy(catalog if name == catalog.name else model / name, folder / name)
    # The description anew, because the catalog now belongs to what it describes.
    facts = {key: value for key, value in config.items() if key != "files"}
    if student.text is not None and student.text.shift is not None and never_met:
        facts["shifted"] = {"items": list(never_met), "by": student.text.shift}
    (folder / "config.json").unlink()
    files = [path.name for path in folder.iterdir() if path.is_file()]
    write_description(folder / "config.json", facts, files)
    return folder


def log_served_model(student: Path, scratch: Path, *, tags: Mapping[str, str]) -> str:
    """Log a gathered student as a model of the active run; return the model's address.

    MLflow loads it once and asks it the input example before this returns.
    """
    package = Path(__file__).parents[1]
    code = scratch / "code" / package.name
    for name in _CODE:
        _copy(package / name, code / name)
    logged = mlflow.pyfunc.log_model(
        name="served",
        python_model=str(package / "serving" / "_model_code.py"),
        code_paths=[str(code)],
        artifacts={"student": str(student)},
        signature=SIGNATURE,
        input_example=(example_request(student), {"k": 5}),
        pip_requirements=[f"{name}=={metadata.version(name).split('+')[0]}" for name in _NEEDS],
        tags=dict(tags),
    )
    return str(logged.model_uri)


def _copy(source: Path, target: Path) -> None:
    """Copy a module, or a room without what Python compiled of it."""
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def example_request(student: Path) -> Any:
    """Return a small valid request: one history by raw ids, one by titles."""
    import pandas as pd

    names = ItemNames.read(student / "catalog.csv")
    raw_ids = names.raw_ids[1 : 1 + _EXAMPLE_LENGTH].tolist()
    unique = [t for t in names.titles[1:] if len(names.named(t)) == 1]
    histories = [raw_ids, unique[:_EXAMPLE_LENGTH] or raw_ids]
    return pd.DataFrame({"history": histories})
