"""A missing extra is named in one sentence; every library of an extra is known."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from recdistill.errors import UserError
from recdistill.extras import _EXTRA_OF, missing_library_named

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


@pytest.mark.parametrize("module", ["torch", "torch.nn"])
def test_what_is_missing_is_named_with_the_command(module: str) -> None:
    sentence = r"train_baseline needs torch.* pip install 'recdistill\[serve\]'"
    with pytest.raises(UserError, match=sentence), missing_library_named("train_baseline"):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)


def test_a_mistake_of_our_own_stays_one() -> None:
    with pytest.raises(ModuleNotFoundError), missing_library_named("train_baseline"):
        raise ModuleNotFoundError("No module named 'recdistill.gone'", name="recdistill.gone")
