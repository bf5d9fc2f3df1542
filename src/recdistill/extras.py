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

_TRAINING = (
    "backtest", "diagnose", "distill", "ladder", "make_transfer_set", "nightly", "sweep",
    "train_baseline", "trial", "update",
)  # fmt: skip
_LANGUAGE = (
    "audit_language", "embed_items", "export_teacher", "main", "plan_memory", "probe_memory",
    "train_teacher",
)  # fmt: skip
_EXTRA_OF_STAGE = dict.fromkeys(_TRAINING, "train") | dict.fromkeys(_LANGUAGE, "llm")
"""What a stage needs when it misses anything: its next missing library would ask for more."""

_BRINGS = {"serve": {"serve"}, "train": {"serve", "train"}, "llm": {"serve", "train", "llm"}}


@contextmanager
def missing_library_named(what: str) -> Iterator[None]:
    """Turn the failed import of a library of an extra into the command that installs it.

    Parameters
    ----------
    what : what needs the library, for the sentence: a stage, or something else.

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
        extra, of_stage = _EXTRA_OF[library], _EXTRA_OF_STAGE.get(what, "serve")
        if extra in _BRINGS[of_stage]:
            extra = of_stage
        raise UserError(
            f"{what} needs {library}, which is not installed: pip install 'recdistill[{extra}]'."
        ) from error
