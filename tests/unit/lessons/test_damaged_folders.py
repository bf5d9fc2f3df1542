"""Saved folders, damaged at random: one sentence each, or the same content; never another one.

``RECDISTILL_DAMAGES`` says how often each kind of folder is damaged; a failing case names its
number, which draws the same damage again.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from damage import check_damages, same

from recdistill.errors import UserError
from recdistill.floors import fit_floor
from recdistill.floors import save_model as save_floor
from recdistill.lessons import (
    Pool,
    TeacherTable,
    ViewsConfig,
    draw_views,
    export_table,
    label_views,
    load_transfer_set,
    save_transfer_set,
    score_positions,
)
from recdistill.saved_models import load_recommender
from recdistill.serving import TopK
from recdistill.serving._package import gather_student
from recdistill.students import StudentConfig, StudentRecommender, build_student
from recdistill.students import save_model as save_student

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recdistill.data import PreparedData

N = int(os.environ.get("RECDISTILL_DAMAGES", "60"))
SEED = int(os.environ.get("RECDISTILL_DAMAGES_FROM", "0"))


def student(data: PreparedData) -> StudentRecommender:
    config = StudentConfig(dim=8, n_blocks=1, n_heads=1, max_length=8, dropout=0.0)
    network = build_student(config, data.catalog.n_items, seed=1).eval()
    return StudentRecommender(network, config, data.catalog.digest, data.split_digest)


def save_a_student(folder: Path, data: PreparedData) -> Callable[[Path], Any]:
    save_student(student(data), folder)
    return lambda copy: load_recommender(copy, data.catalog).score(data.val.history)


def save_a_floor(folder: Path, data: PreparedData) -> Callable[[Path], Any]:
    save_floor(fit_floor("markov", data.train, data.catalog), folder)
    return lambda copy: load_recommender(copy, data.catalog).score(data.val.history)


def save_a_served_student(folder: Path, data: PreparedData) -> Callable[[Path], Any]:
    own = folder.with_name("own")
    save_student(student(data), own)
    data.catalog.items.reset_index().to_csv(own / "catalog.csv", index=False)
    gather_student(own, own / "catalog.csv", folder)

    def read(copy: Path) -> Any:
        top_k = TopK.read(copy, n_threads=1)
        items, scores = top_k.recommend(np.array([1, 2, 3]), np.array([0, 1, 3]), 3)
        return {"ids": top_k.names.raw_ids[items].tolist(), "scores": scores}

    return read


def save_a_table(folder: Path, data: PreparedData) -> Callable[[Path], Any]:
    scores = score_positions(student(data), data.train, data.catalog.n_items)
    export_table(folder, data, scores, teacher_digest="t", top_k=4)

    def read(copy: Path) -> Any:
        table = TeacherTable.open(copy, data)
        rows = table.join(*data.train.keys())
        return {"top_k": table.top_k, **{name: getattr(rows, name) for name in vars(rows)}}

    return read


def save_a_transfer_set(folder: Path, data: PreparedData) -> Callable[[Path], Any]:
    pool = Pool([student(data)], [1.0], data.catalog.digest)
    views = draw_views(data.train, ViewsConfig(2), seed=0)
    save_transfer_set(label_views(pool, views, data, k=4), folder, data)

    def read(copy: Path) -> Any:
        found = load_transfer_set(copy, data)
        tensors = {name: getattr(found, name) for name in ("logits", "distance", "weights")}
        return {"views": found.sequences.items, "lists": found.items, **tensors}

    return read


@pytest.mark.parametrize(
    "save",
    [
        save_a_student, save_a_floor, save_a_served_student, save_a_table, save_a_transfer_set,
    ],
)  # fmt: skip
def test_damage_is_refused_or_has_no_effect(
    save: Callable[[Path, PreparedData], Callable[[Path], Any]],
    walks: PreparedData,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "whole"
    read = save(folder, walks)
    refused = check_damages(folder, tmp_path / "copies", read, UserError, N, seed=SEED)
    assert refused > N // 2


@pytest.mark.parametrize("save", [save_a_student, save_a_floor, save_a_transfer_set])
def test_folders_from_before_checksums_are_read_and_their_damage_is_no_traceback(
    save: Callable[[Path, PreparedData], Callable[[Path], Any]],
    walks: PreparedData,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "whole"
    read = save(folder, walks)
    whole = read(folder)
    for path in folder.glob("*.json"):
        facts = json.loads(path.read_text())
        facts["format"] -= 1
        del facts["files"], facts["sha256"]
        path.write_text(json.dumps(facts))
    assert same(read(folder), whole)
    assert "was saved before checksums" in caplog.text
    check_damages(folder, tmp_path / "copies", read, UserError, N, checked=False, seed=SEED)
