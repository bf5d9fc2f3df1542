"""A missing extra is named in one sentence; every library of an extra is known."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from recdistill.errors import UserError
from recdistill.extras import _EXTRA_OF, _EXTRA_OF_STAGE, missing_library_named

ROOT = Path(__file__).parents[2]
IMPORTED_AS = {"pytorch-lightning": "pytorch_lightning", "scikit-learn": "sklearn"}


def test_every_library_of_an_extra_is_known() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    named = {
        IMPORTED_AS.get(asked.name, asked.name): extra
        for extra in ("serve", "train", "llm", "s3")
        for asked in map(Requirement, extras[extra])
        if asked.name != "recdistill"
    }
    assert named == _EXTRA_OF


@pytest.mark.parametrize(
    ("stage", "module", "extra"),
    [
        ("score", "torch", "serve"),
        ("score", "torch.nn", "serve"),
        ("train_baseline", "torch", "train"),
        ("train_baseline", "pytorch_lightning", "train"),
        ("train_teacher", "torch", "llm"),
        ("score", "pytorch_lightning", "train"),
        ("train_baseline", "boto3", "s3"),
        ("s3:// addresses", "boto3", "s3"),
    ],
)
def test_what_is_missing_is_named_with_the_command(stage: str, module: str, extra: str) -> None:
    """Installed as told, the stage does not ask for its next library."""
    sentence = rf"{stage} needs {module.partition('.')[0]}, .* pip install 'recdistill\[{extra}\]'"
    with pytest.raises(UserError, match=sentence), missing_library_named(stage):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def test_every_stage_that_asks_for_an_extra_exists() -> None:
    assert set(_EXTRA_OF_STAGE) <= {path.stem for path in (ROOT / "projects").glob("*.py")}


def test_a_mistake_of_our_own_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError), missing_library_named("train_baseline"):
        raise ModuleNotFoundError("No module named 'recdistill.gone'", name="recdistill.gone")
