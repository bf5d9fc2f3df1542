"""The guard on ratios: what is committed keeps it, and what is slower does not."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from benchmarks.guard import BOUNDS, RESULTS, main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.says)
def test_what_is_committed_keeps_its_bound(bound):
    assert bound.holds()


def test_a_ratio_and_an_exponent_that_got_worse_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for name in {bound.file for bound in BOUNDS}:
        shutil.copy(RESULTS / f"{name}.json", tmp_path)
    speed = json.loads((tmp_path / "training_speed.json").read_text())
    speed["ml-100k"]["ratio"]["rectools"]["tokens 1600"] = 1.0
    (tmp_path / "training_speed.json").write_text(json.dumps(speed))
    curves = json.loads((tmp_path / "scaling.json").read_text())
    curves["training, touched rows"]["cpu_seconds"] = {"10": 1.0, "1000": 100.0}
    (tmp_path / "scaling.json").write_text(json.dumps(curves))
    assert main(tmp_path) == 1
    said = capsys.readouterr().out
    assert "training on ml-100k beside RecTools, shipped settings: 1.00, at least 2.5" in said
    assert "exponent of training by items, touched rows: 1.00, at most 0.2" in said
    assert f"{len(BOUNDS) - 2} of {len(BOUNDS)} bounds hold" in said
