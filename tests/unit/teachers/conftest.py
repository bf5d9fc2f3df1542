from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from recdistill.data import Cases, Catalog, PreparedData, Sequences
from recdistill.students import SequentialModel
from recdistill.teachers import (
    LLM,
    HeadSettings,
    LoraSettings,
    TeacherNetwork,
    TeacherSettings,
    TextSettings,
)

N_ITEMS = 12
WORDS = ["items", "chosen", "red", "green", "blue", "fox", "hen", "owl", "ant", "cat", "dog", "bee"]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    vocabulary = {word: i for i, word in enumerate(["<unk>", "<s>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")


def tiny_llm(family: str = "llama", seed: int = 0) -> LLM:
    shape = {"vocab_size": len(WORDS) + 2, "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    llama_like = shape | {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 128,
    }
    no_dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    config = {
        "llama": lambda: LlamaConfig(**llama_like),
        "qwen2": lambda: Qwen2Config(**llama_like),
        "gpt2": lambda: GPT2Config(
            n_embd=16, n_layer=2, n_head=2, n_positions=128, **no_dropout, **shape
        ),
        "opt": lambda: OPTConfig(
            hidden_size=16,
            ffn_dim=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
            dropout=0.0,
            word_embed_proj_dim=16,
            **shape,
        ),
    }[family]()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    model.requires_grad_(False).eval()
    return LLM(model, tiny_tokenizer(), f"tiny-{family}", f"digest-{family}-{seed}")


class RunningMean(SequentialModel):
    """A causal stand-in: the state is the mean of the items so far, blurred by dropout."""

    def __init__(self, n_items: int = N_ITEMS, dim: int = 6, max_length: int = 8) -> None:
        super().__init__()
        self.n_items, self.dim, self.max_length = n_items, dim, max_length
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=0)
        self.dropout = nn.Dropout(0.5)

    def encode(self, items: torch.Tensor) -> torch.Tensor:
        seen = torch.arange(1, items.shape[1] + 1, device=items.device)[None, :, None]
        return self.dropout(self.items(items).cumsum(1) / seen)

    def item_table(self) -> torch.Tensor:
        return self.items.weight


def make_catalog(n_items: int = N_ITEMS) -> Catalog:
    colours, animals = WORDS[2:5], WORDS[5:]
    titles = [
        f"{colours[i % 3]} {animals[i % 7]}" if i % 2 else animals[i % 7] for i in range(n_items)
    ]
    items = pd.DataFrame({"raw_id": [f"r{i}" for i in range(n_items)], "title": titles})
    items["text"] = items["title"] + " red"
    return Catalog(items.set_index(pd.RangeIndex(1, n_items + 1, name="item")))


def make_recommender(seed: int = 0, **sizes: int) -> RunningMean:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return RunningMean(**sizes)


def make_network(
    family: str = "llama", *, seed: int = 0, move: bool = True, **settings: object
) -> TeacherNetwork:
    """A tiny teacher; ``move`` takes B away from zero so that the adapter does something."""
    small = {
        "lora_r": 4,
        "n_experts": 2,
        "max_length": 8,
        "lora": LoraSettings(dropout=0.0),
        "head": HeadSettings(dim=8, dropout=0.0),
        "text": TextSettings("items chosen"),
    }
    chosen = TeacherSettings(**small | settings)
    llm = None if chosen.adapter == "head" else tiny_llm(family)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = TeacherNetwork(make_recommender(), llm, make_catalog(), chosen)
        if move:
            for name, p in network.named_parameters():
                if "lora_B" in name or name == "head.free.weight":
                    nn.init.normal_(p, std=0.3)
    return network.eval()


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return make_catalog()


@pytest.fixture(scope="session")
def prepared(catalog: Catalog, tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """Thirty users whose next item is mostly the previous one plus one."""
    generator = np.random.default_rng(0)
    rows = []
    for _ in range(30):
        start, n = generator.integers(0, N_ITEMS), generator.integers(4, 11)
        row = (start + np.arange(n)) % N_ITEMS + 1
        row[generator.random(n) < 0.1] = generator.integers(1, N_ITEMS + 1)
        rows.append(row.tolist())
    users = np.arange(len(rows))
    val = Cases(users, Sequences.from_lists(r[:-2] for r in rows), np.array([r[-2] for r in rows]))
    test = Cases(users, Sequences.from_lists(r[:-1] for r in rows), np.array([r[-1] for r in rows]))
    return PreparedData(
        "tiny",
        catalog,
        np.array([f"u{i}" for i in users], object),
        Sequences.from_lists(r[:-2] for r in rows),
        val,
        test,
        {"split_digest": "split-of-tiny", "catalog_digest": catalog.digest},
        tmp_path_factory.mktemp("tiny"),
    )
