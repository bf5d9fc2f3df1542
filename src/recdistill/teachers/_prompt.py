"""From a batch of histories to the language model's token positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from recdistill.data import Catalog, Sequences
    from recdistill.teachers._settings import TeacherSettings


@dataclass(frozen=True)
class ItemTokens:
    """Token ids of every item's text, row 0 (padding) without any.

    Attributes
    ----------
    ids : int64 tensor, shape [n_items + 1, max_tokens], right-padded with 0
    lengths : int64 tensor, shape [n_items + 1]
    """

    ids: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def from_texts(
        cls, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int
    ) -> ItemTokens:
        """Tokenise ``texts[i - 1]`` for item ``i``, each on a line of its own, cut to size."""
        encoded = text_tokens(tokenizer, [f"\n{text}" for text in texts])
        rows = [torch.tensor(row[:max_tokens], dtype=torch.long) for row in ([], *encoded)]
        lengths = torch.tensor([len(row) for row in rows])
        return cls(torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths)


def text_tokens(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """Tokenise texts that come with the data, so that none becomes a control token.

    A title may spell ``<|im_end|>`` or any other of the model's control tokens; here it is read as
    the characters it is written in. Tokenizers mark some of their control tokens as ordinary added
    ones and would still read those whole: such an id is left out.
    """
    ids: list[list[int]] = tokenizer(
        list(texts), add_special_tokens=False, split_special_tokens=True
    ).input_ids
    added = getattr(tokenizer, "added_tokens_decoder", {})
    control = {number for number, token in added.items() if str(token).strip()}
    control.discard(tokenizer.unk_token_id)  # an unknown character is no command
    return [[number for number in row if number not in control] for row in ids]


def instruction_tokens(
    tokenizer: PreTrainedTokenizerBase, text: str, begin: int | None
) -> list[int]:
    """Tokens before the first item; an empty text leaves the one that begins a sequence."""
    ids: list[int] = tokenizer(text).input_ids
    return ids or [begin or 0]


def count_tokens(
    histories: Sequences, n_instruction: int, title_lengths: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """Count the prompt's tokens for each row of histories, shape [n_rows].

    Parameters
    ----------
    title_lengths : int64 array, shape [n_items + 1], optional
        None in the compact style, where an item is its slot alone.
    """
    text = 0 if title_lengths is None else title_lengths[histories.items]
    cost = np.concatenate([[0], np.cumsum(np.ones(len(histories.items), np.int64) + text)])
    total: NDArray[np.int64] = cost[histories.offsets[1:]] - cost[histories.offsets[:-1]]
    return n_instruction + total


def prompt_lengths(
    histories: Sequences,
    catalog: Catalog,
    tokenizer: PreTrainedTokenizerBase,
    settings: TeacherSettings,
) -> NDArray[np.int64]:
    """Count each row's tokens as a teacher of these settings would, without building it."""
    n_instruction = len(instruction_tokens(tokenizer, settings.text.instruction, None))
    if settings.prompt == "compact":
        return count_tokens(histories, n_instruction, None)
    texts = catalog.items[settings.text.item_text].tolist()
    tokens = ItemTokens.from_texts(texts, tokenizer, settings.text.max_title_tokens)
    return count_tokens(histories, n_instruction, tokens.lengths.numpy())


@dataclass(frozen=True)
class Layout:
    """Where things stand in a batch of prompts.

    Every prompt is the instruction, then one segment per item: the tokens of its text (none in
    the compact style) and its slot. A *boundary* is the last token that has seen exactly ``t``
    items: the end of the instruction for ``t = 0``, the slot of the ``t``-th item after that.

    Attributes
    ----------
    token_ids : int64 tensor, shape [batch, width]
        0 where a slot or padding stands.
    boundaries : int64 tensor, shape [batch, length + 1]
        Beyond a row's own length they repeat its last one.
    n_seen : int64 tensor, shape [batch, width]
        How many items have begun at each token: the token may know the recommender's state after
        that many items, because it belongs to the last of them.
    """

    token_ids: torch.Tensor
    boundaries: torch.Tensor
    n_seen: torch.Tensor


def lay_out(items: torch.Tensor, instruction: torch.Tensor, tokens: ItemTokens | None) -> Layout:
    """Place a batch of histories, without a Python loop over users or items.

    Parameters
    ----------
    items : int64 tensor, shape [batch, length], right-padded with 0
    instruction : int64 tensor, shape [n_instruction], at least one token
    tokens : ItemTokens or None
        None for the compact style.
    """
    batch, device = items.shape[0], items.device
    start = len(instruction)
    n_text = torch.zeros_like(items) if tokens is None else tokens.lengths[items]
    ends = (n_text + 1).mul(items > 0).cumsum(dim=1)  # [batch, length], end of each segment
    width = start + int(ends[:, -1].max()) if items.shape[1] else start
    token_ids = torch.zeros(batch, width, dtype=torch.long, device=device)
    token_ids[:, :start] = instruction
    if tokens is not None:
        offset = torch.arange(tokens.ids.shape[1], device=device)
        # [batch, length, max_tokens]: the column of each text token of each item
        column = (start + ends - 1 - n_text)[..., None] + offset
        valid = (offset < n_text[..., None]) & (items > 0)[..., None]
        row = torch.arange(batch, device=device)[:, None, None].expand_as(column)
        token_ids[row[valid], column[valid]] = tokens.ids[items][valid]
    first = torch.full((batch, 1), start - 1, device=device)
    boundaries = torch.cat([first, start + ends - 1], dim=1)
    column = torch.arange(width, device=device).expand(batch, width).contiguous()
    # Boundary t closes the tokens that have seen t items, so the index of the first boundary at or
    # after a column is that column's number of items.
    n_seen = torch.searchsorted(boundaries, column).clamp(max=items.shape[1])
    return Layout(token_ids, boundaries, n_seen)
