from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from recdistill.errors import UserError
from recdistill.texts import (
    EmbeddingConfig,
    TextEncoder,
    TfidfEncoder,
    TransformerEncoder,
    embed_items,
    embed_more,
)
from tests.unit.texts.conftest import made, titles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from recdistill.data import Catalog

CONFIG = EmbeddingConfig(dim=6)


class Counted:
    """The real encoder, and how many texts it was asked for."""

    def __init__(self, inner: TextEncoder) -> None:
        self.inner, self.dim, self.digest, self.n = inner, inner.dim, inner.digest, 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.n += len(texts)
        return self.inner.encode(texts)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny sentence encoder in a folder, weights random."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = sorted({w for t in titles(200) for w in t.lower().split()})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {w: i for i, w in enumerate([*special, "[", "]", "sep", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    folder = tmp_path_factory.mktemp("bert")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2,
            num_attention_heads=2, intermediate_size=32, max_position_embeddings=32,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def read(model: Path, config: EmbeddingConfig = CONFIG, **kwargs) -> TransformerEncoder:
    return TransformerEncoder.read(model, config, **kwargs)


def test_items_with_like_texts_are_alike_and_items_without_have_none(
    catalog: Catalog, tmp_path: Path
) -> None:
    encoder = TfidfEncoder(list(catalog.items["text"]), 6)
    found = embed_items(catalog, encoder, CONFIG, tmp_path / "v", cache=tmp_path, about={})
    assert found.values.shape == (catalog.n_items + 1, 6)
    assert not found.values[[0, 8]].any()
    unit = found.values / np.linalg.norm(found.values, axis=1, keepdims=True).clip(1e-9)
    kind = [text.split(" ", 1)[-1][:4] for text in catalog.items["text"]]
    same = np.equal.outer(kind, kind)
    cosine = unit[1:] @ unit[1:].T
    assert cosine[same].mean() > cosine[~same].mean() + 0.2


def test_what_was_encoded_once_is_found_again(catalog: Catalog, tmp_path: Path) -> None:
    counted = Counted(TfidfEncoder(list(catalog.items["text"]), 6))
    seen: list[tuple[int, int]] = []
    first = embed_items(
        catalog, counted, CONFIG, tmp_path / "a", cache=tmp_path, about={},
        report=lambda done, of: seen.append((done, of)),
    )  # fmt: skip
    assert seen[-1] == (40, 40)
    config = replace(CONFIG, dim=3, reduction="whiten", permuted=True)
    other = embed_items(catalog, counted, config, tmp_path / "b", cache=tmp_path, about={}, seed=3)
    assert counted.n == 40
    assert other.dim == 3
    assert other.about["permuted"] == 3
    assert first.dim == 6


def test_chunks_change_nothing(
    catalog: Catalog, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = embed_items(
        catalog, read(model), CONFIG, tmp_path / "a", cache=tmp_path / "1", about={}
    )
    monkeypatch.setattr("recdistill.texts._embed._CHUNK", 7)
    monkeypatch.setattr("recdistill.texts._transformer._TOKENS_PER_PASS", 20)
    parts = embed_items(
        catalog, read(model), CONFIG, tmp_path / "b", cache=tmp_path / "2", about={}
    )
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-3)


@pytest.mark.parametrize("pooling", ["mean", "last", "first"])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_text_has_the_vector_it_has_alone(model: Path, pooling: str, layer: int) -> None:
    encoder = read(model, replace(CONFIG, pooling=pooling, layer=layer))
    texts = [*titles(12), "red hand cream for very dry hands"]
    together = encoder.encode(texts)
    for text, row in zip(texts, together, strict=True):
        np.testing.assert_allclose(encoder.encode([text])[0], row, atol=1e-5)


def test_the_last_layer_has_a_number_too(model: Path) -> None:
    np.testing.assert_allclose(
        read(model, replace(CONFIG, layer=2)).encode(titles(3)), read(model).encode(titles(3))
    )


def test_random_weights_differ_by_draw_and_repeat_by_seed(model: Path) -> None:
    draws = [read(model, weights="random", seed=s) for s in (0, 0, 1)]
    said = [d.encode(titles(3)) for d in draws]
    np.testing.assert_array_equal(said[0], said[1])
    assert np.abs(said[0] - said[2]).max() > 0.1
    assert len({d.digest for d in [*draws, read(model)]}) == 3


def test_a_text_never_becomes_a_control_token(model: Path) -> None:
    encoder = read(model, replace(CONFIG, pooling="last"))
    control, spelled = encoder.encode(["red [SEP]"]), encoder.encode(["red [ sep ]"])
    np.testing.assert_allclose(control, spelled)


def test_a_digest_tells_encoders_apart(model: Path) -> None:
    configs = [CONFIG, replace(CONFIG, pooling="last"), replace(CONFIG, instruction="query: ")]
    assert len({read(model, config).digest for config in configs}) == 3
    # How the vectors are reduced is not the encoder's.
    assert read(model, replace(CONFIG, dim=2)).digest == read(model).digest


def test_pickled_weights_are_not_read(model: Path, tmp_path: Path) -> None:
    for file in model.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(UserError, match="pickles are not read"):
        read(tmp_path)


def test_a_layer_that_is_not_there_is_named(model: Path) -> None:
    with pytest.raises(UserError, match="has 2 layers"):
        read(model, replace(CONFIG, layer=9))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pooling": "max"}, "pooling is 'max'"),
        ({"reduction": "tsne"}, "reduction is 'tsne'"),
        ({"dim": 0}, "dim is 0"),
    ],
)
def test_impossible_settings_are_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        replace(CONFIG, **change)


def test_few_texts_give_fewer_dimensions() -> None:
    catalog = made(["red cream", "blue cream", "red oil"])
    encoder = TfidfEncoder(list(catalog.items["text"]), 64)
    assert encoder.dim == 2
    assert encoder.encode(["red cream", ""]).shape == (2, 2)


def test_further_texts_are_reduced_as_the_catalogs_own(tmp_path: Path) -> None:
    texts = ["red shoe", "blue shoe", "red hat", "green hat", "", "blue coat"]
    known, config = made(texts), EmbeddingConfig(dim=3)
    encoder = TfidfEncoder(texts, 4)
    cache = tmp_path / "cache"
    vectors = embed_items(known, encoder, config, tmp_path / "v", about={}, cache=cache)
    more = embed_more(known, ["red hat", "", "yellow hat"], encoder, config, cache=cache)
    np.testing.assert_allclose(more[0], vectors.values[3], atol=1e-5)
    assert not more[1].any()
    assert more[2].any()
