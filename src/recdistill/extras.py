"""A library that an extra would bring, asked for by name where it is missing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

_EXTRA_OF = {
    "torch": "serve",
    "safetensors": "serve",
    "pytorch_lightning": "train",
    "optuna": "train",
    "plotly": "train",
    "sklearn": "train",
    "transformers": "llm",
    "peft": "llm",
    "gguf": "llm",
    "boto3": "s3",
}
"""The smallest extra of ``pyproject.toml`` that brings a library, by the name it is imported by."""


@contextmanager
def missing_library_named(what: str) -> Iterator[None]:
    """Turn the failed import of a library of an extra into the command that installs it.

    Parameters
    ----------
    what : what needs the library, for the sentence.

    Raises
    ------
    UserError
        When a library of an extra is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _EXTRA_OF:
            raise
        raise UserError(
            f"{what} needs {library}, which is not installed: pip install "
            f"'recdistill[{_EXTRA_OF[library]}]'."
        ) from error
