"""A checkpoint takes no second copy of the weights to be written."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import torch

from recdistill.training._checkpoint_file import StraightToFile


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    checkpoint = {"state_dict": {"items": torch.arange(6.0)}, "epoch": 3}
    StraightToFile().save_checkpoint(checkpoint, tmp_path / "last.ckpt")
    again = StraightToFile().load_checkpoint(tmp_path / "last.ckpt", weights_only=True)
    assert again["epoch"] == 3
    assert torch.equal(again["state_dict"]["items"], torch.arange(6.0))


def test_the_file_is_not_put_together_in_memory(tmp_path: Path) -> None:
    checkpoint = {"items": torch.zeros(2_000_000)}  # 8 MB
    tracemalloc.start()
    StraightToFile().save_checkpoint(checkpoint, tmp_path / "last.ckpt")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "last.ckpt").stat().st_size > 8_000_000
    assert peak < 2_000_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match="No space left"):
        StraightToFile().save_checkpoint({"items": torch.zeros(2_000_000)}, "/dev/full")
