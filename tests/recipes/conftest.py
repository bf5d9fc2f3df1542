"""A workshop like a fresh clone: the project's stages and settings, an empty store, no data yet."""

from __future__ import annotations

import os
import shutil
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

ROOT = Path(__file__).parents[2]

# Sixty users of ML-100K: every stage ends in seconds, and its figures mean nothing.
SMALL = ["--max_users=60", "--data_seed=1"]
TINY_STUDENT = ["--max_epochs=2", "--max_length=20", "--student.dim=16", "--tokens_per_batch=800"]

Recipe = Callable[..., Run]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[Path]:
    """Work in a folder of the module's own, with its own tracking store."""
    folder = tmp_path_factory.mktemp("workshop")
    shutil.copy(empty_database, folder / "mlflow.db")
    for name in ("conf", "projects", "MLproject"):
        (folder / name).symlink_to(ROOT / name)
    before, uri = Path.cwd(), mlflow.get_tracking_uri()
    os.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    yield folder
    os.chdir(before)
    mlflow.set_tracking_uri(uri)


@pytest.fixture(scope="module")
def recipe(workshop: Path) -> Recipe:
    """Run an entry point with these flags, in this process, and return its finished run."""
    import importlib

    from recdistill.runs import stage

    def cook(name: str, *words: str, status: str = "FINISHED") -> Run:
        module = importlib.import_module(f"projects.{name}")
        stage(module.run, module.Config, name, list(words))
        client = MlflowClient()
        newest = client.search_runs(["0"], f"tags.stage = '{name}'", max_results=1)[0]
        assert newest.info.status == status
        return client.get_run(newest.info.run_id)

    return cook


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny language model in a folder as the Hugging Face Hub would give it, weights random."""
    return make_llama(tmp_path_factory.mktemp("llama"))


def make_llama(folder: Path) -> str:
    """Write a language model of two layers, and a tokenizer of single characters."""
    import torch
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {token: i for i, token in enumerate(["<unk>", "<s>", *string.printable])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>"
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=1,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


def artifacts(run: Run, folder: str | None = None) -> set[str]:
    """Names of a run's files and folders, directly under ``folder``."""
    return {Path(a.path).name for a in MlflowClient().list_artifacts(run.info.run_id, folder)}
