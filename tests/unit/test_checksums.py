"""A description holds for its folder, or says in one sentence that it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from recdistill.checksums import (
    read_description as read_any_description,
)
from recdistill.checksums import (
    read_tensors,
    understanding,
    write_description,
)
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def read_description(path: Path, what: str, *, verify: bool = True) -> dict[str, Any]:
    return read_any_description(path, what, formats=(1, 2), checked_from=2, verify=verify)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(facts=st.dictionaries(st.sampled_from(["kind", "n", "ü", "a b"]), PLAIN))
def test_facts_come_back_as_they_were(
    facts: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("facts") / "config.json"
    (path.parent / "inside").mkdir()
    (path.parent / "inside" / "data.bin").write_bytes(b"12345")
    write_description(path, {"format": 2, **facts}, ["inside/data.bin"])
    found = read_description(path, "model")
    assert {key: found[key] for key in facts} == facts
    assert list(found["files"]) == ["inside/data.bin"]
    assert not list(path.parent.glob("*.partial"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "data.bin").write_bytes(b"12345")
    write_description(tmp_path / "config.json", {"format": 2, "n": 3}, ["data.bin"])
    return tmp_path / "config.json"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "\ufeff{}", "[" * 100_000])
def test_what_is_no_description_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read_description(path, "model")
    assert "\n" not in str(caught.value)


def test_a_changed_file_is_refused_by_size_alone_or_by_content(path: Path) -> None:
    data = path.with_name("data.bin")
    data.write_bytes(b"12346")
    with pytest.raises(UserError, match=r"data\.bin is not as it was written"):
        read_description(path, "model")
    read_description(path, "model", verify=False)  # the size is the same
    data.write_bytes(b"1234")
    with pytest.raises(UserError, match="not as it was written"):
        read_description(path, "model", verify=False)
    data.unlink()
    with pytest.raises(UserError, match=r"lacks its file data\.bin"):
        read_description(path, "model")


@pytest.mark.parametrize("edit", [{"n": 4}, {"files": {}}, {"format": 1}, {"more": 1}])
def test_an_edited_description_is_refused(path: Path, edit: dict[str, object]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | edit))
    with pytest.raises(UserError, match="not as it was written"):
        read_description(path, "model")


def test_a_description_without_its_own_checksum_is_refused(path: Path) -> None:
    whole = json.loads(path.read_text())
    del whole["sha256"]
    path.write_text(json.dumps(whole))
    with pytest.raises(UserError, match="not as it was written"):
        read_description(path, "model")


def test_a_newer_format_is_refused_and_one_from_before_checksums_is_warned_of(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text('{"format": 3}')
    with pytest.raises(UserError, match="format 3"):
        read_description(path, "model")
    path.write_text('{"format": 1, "n": 5}')
    assert read_description(path, "model")["n"] == 5
    assert "was saved before checksums" in caplog.text


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"fine": torch.zeros(2), "votes": torch.tensor([1.0, float("nan")])}, file)
    with pytest.raises(UserError, match="'votes'"):
        read_tensors(file, "model")
    file.write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="cannot be read"):
        read_tensors(file, "model")


def test_strange_words_become_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(UserError, match="describes no floor"),
        understanding(tmp_path / "config.json", "floor"),
    ):
        {}["kind"]
