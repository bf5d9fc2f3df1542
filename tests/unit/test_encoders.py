"""An encoder's name stands for its files: what they hold is part of what is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recdistill.encoders import TFIDF, encoder_input
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


def test_weights_that_were_written_anew_are_another_input(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"before")
    before, drawn = encoder_input(str(tmp_path)), encoder_input(str(tmp_path), "random")
    assert encoder_input(str(tmp_path)) == before
    weights.write_bytes(b"after")
    assert encoder_input(str(tmp_path)) != before
    assert encoder_input(str(tmp_path), "random") == drawn, "drawn weights read none"


def test_tfidf_has_no_files_and_a_model_that_is_gone_is_named(tmp_path: Path) -> None:
    assert encoder_input(TFIDF) == {}
    with pytest.raises(UserError, match=r"gone\.gguf"):
        encoder_input(str(tmp_path / "gone.gguf"))
