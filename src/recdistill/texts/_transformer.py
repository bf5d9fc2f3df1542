"""Texts through any transformer: a sentence encoder, or a causal language model."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.texts._config import EmbeddingConfig, Weights

_TOKENS_PER_PASS = 4_096


class TransformerEncoder:
    """Pools the token states that a transformer has for a text.

    Parameters
    ----------
    model : transformers model without a head
        ``model(input_ids, attention_mask)`` gives ``last_hidden_state`` [batch, length, dim].
    tokenizer : its tokenizer
    config : EmbeddingConfig
    identity : str
        What tells this model from others; part of the digest.
    """

    def __init__(self, model: Any, tokenizer: Any, config: EmbeddingConfig, identity: str) -> None:
        self._model, self._tokenizer, self._config = model.eval(), tokenizer, config
        self.dim = int(model.config.hidden_size)
        decided = (config.pooling, config.layer, config.instruction, config.max_tokens)
        self.digest = hashlib.sha256(f"{identity} {decided}".encode()).hexdigest()[:32]
        self._padding = tokenizer.pad_token_id or 0

    @classmethod
    def read(
        cls,
        folder: Path,
        config: EmbeddingConfig,
        *,
        weights: Weights = "pretrained",
        seed: int = 0,
        device: str = "cpu",
    ) -> TransformerEncoder:
        """Read a model folder: configuration, tokenizer and safetensors.

        Parameters
        ----------
        weights : "pretrained" or "random"
            ``random`` draws every weight from the architecture's own initialisation: the control
            that tells what pretraining knows from what any network makes of the same words.

        Raises
        ------
        UserError
            When the folder's model cannot be read, or has fewer layers than asked for.
        """
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        try:
            shape = AutoConfig.from_pretrained(folder)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            if config.layer > shape.num_hidden_layers:
                raise UserError(
                    f"layer is {config.layer}, but {folder.name} has {shape.num_hidden_layers} "
                    "layers: choose one of them, or 0 for the last."
                )
            if weights == "random":
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(seed)
                    model = AutoModel.from_config(shape)
            else:
                model = AutoModel.from_pretrained(folder, use_safetensors=True, dtype="float32")
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"The model in {folder} cannot be read ({_first_line(error)}): it needs a "
                "config.json, a tokenizer and weights as safetensors; pickles are not read."
            ) from error
        identity = f"{weights} {seed} " if weights == "random" else ""
        return cls(model.to(device), tokenizer, config, identity + _files_digest(folder, weights))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See ``TextEncoder``; texts of similar length share a pass."""
        asked = [self._config.instruction + text for text in texts]
        tokens: list[list[int]] = self._tokenizer(
            asked,
            truncation=True,
            max_length=self._config.max_tokens,
            split_special_tokens=True,  # a text's "[SEP]" or "<|im_end|>" is text
        ).input_ids
        tokens = [row or [self._tokenizer.bos_token_id or 0] for row in tokens]
        lengths = np.array([len(row) for row in tokens])
        out = np.zeros((len(tokens), self.dim), np.float32)
        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            rows = order[start : start + max(1, _TOKENS_PER_PASS // int(lengths[order[start]]))]
            out[rows] = self._pooled([tokens[i] for i in rows])
            start += len(rows)
        return out

    @torch.inference_mode()
    def _pooled(self, rows: list[list[int]]) -> NDArray[np.float32]:
        device = next(self._model.parameters()).device
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.full((len(rows), int(lengths.max())), self._padding)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row)
        mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()  # [batch, length]
        layer = self._config.layer
        output = self._model(
            input_ids=ids.to(device), attention_mask=mask.to(device), output_hidden_states=layer > 0
        )
        states = output.hidden_states[layer] if layer else output.last_hidden_state
        states = states.float().cpu()  # [batch, length, dim]
        if self._config.pooling == "first":
            pooled = states[:, 0]
        elif self._config.pooling == "last":
            pooled = states[torch.arange(len(rows)), lengths - 1]
        else:
            pooled = (states * mask[..., None]).sum(1) / lengths[:, None]
        vectors: NDArray[np.float32] = pooled.numpy()
        return vectors


def _files_digest(folder: Path, weights: Weights) -> str:
    """Digest the files that decide the vectors, names and contents."""
    sha = hashlib.sha256()
    read = [
        "config.json",
        "tokenizer*.json",
        *(["*.safetensors"] if weights == "pretrained" else []),
    ]
    for path in sorted(p for pattern in read for p in folder.glob(pattern)):
        with path.open("rb") as stream:
            sha.update(
                f"{path.name} {hashlib.file_digest(stream, 'sha256').hexdigest()}\n".encode()
            )
    return sha.hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
