from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recdistill.teachers import ItemTokens, lay_out

from .conftest import make_catalog, tiny_tokenizer

TOKENS = ItemTokens.from_texts(make_catalog().items["title"].tolist(), tiny_tokenizer(), 16)
INSTRUCTION = torch.tensor([2, 3])


def written_out(
    items: list[int], tokens: ItemTokens | None
) -> tuple[list[int], list[int], list[int]]:
    """The layout of one user, token by token."""
    ids, boundaries, seen = INSTRUCTION.tolist(), [len(INSTRUCTION) - 1], [0] * len(INSTRUCTION)
    for t, item in enumerate(items, start=1):
        text = [] if tokens is None else tokens.ids[item, : tokens.lengths[item]].tolist()
        ids += [*text, 0]
        seen += [t] * (len(text) + 1)
        boundaries.append(len(ids) - 1)
    return ids, boundaries, seen


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 12), min_size=0, max_size=6), min_size=1, max_size=4),
    st.booleans(),
)
def test_layout_is_what_writing_it_out_gives(rows: list[list[int]], hybrid: bool) -> None:
    tokens = TOKENS if hybrid else None
    width = max(len(row) for row in rows)
    items = torch.tensor([row + [0] * (width - len(row)) for row in rows]).long()
    items = items.view(len(rows), width)
    layout = lay_out(items, INSTRUCTION, tokens)
    for b, row in enumerate(rows):
        ids, boundaries, seen = written_out(row, tokens)
        assert layout.token_ids[b, : len(ids)].tolist() == ids
        assert layout.boundaries[b, : len(row) + 1].tolist() == boundaries
        assert layout.n_seen[b, : len(ids)].tolist() == seen
        assert not layout.token_ids[b, len(ids) :].any()


def test_item_texts_are_cut_and_padding_has_none() -> None:
    tokens = ItemTokens.from_texts(["red fox hen", "owl"], tiny_tokenizer(), 2)
    assert tokens.lengths.tolist() == [0, 2, 1]
    assert tokens.ids.shape == (3, 2)
