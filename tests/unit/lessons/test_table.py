from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from recdistill.checksums import write_description
from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.floors import fit_floor
from recdistill.lessons import (
    Selection,
    TableWriter,
    TeacherTable,
    export_table,
    read_dllm2rec,
    score_positions,
    write_dllm2rec,
)
from recdistill.teachers import TeacherRecommender
from tests.unit.lessons.cross_fitted import cross_fitted_scores
from tests.unit.teachers.conftest import make_network

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Catalog, PreparedData


def all_keys(data: PreparedData) -> tuple[np.ndarray, np.ndarray]:
    lengths = data.train.lengths
    users = np.repeat(np.arange(len(lengths)), lengths - 1)
    positions = np.concatenate([np.arange(1, n) for n in lengths])
    return users, positions


@pytest.fixture(scope="module")
def teacher(catalog: Catalog) -> TeacherRecommender:
    return TeacherRecommender(make_network(), catalog.digest, n_tokens=60)


@pytest.fixture
def table(prepared: PreparedData, teacher: TeacherRecommender, tmp_path: Path) -> TeacherTable:
    return export_table(
        tmp_path / "table",
        prepared,
        score_positions(teacher, prepared.train, prepared.catalog.n_items),
        teacher_digest="t",
        top_k=4,
        logits="float32",
        item_vectors=teacher.item_vectors().numpy(),
    )


def test_every_row_says_what_the_teacher_says(
    prepared: PreparedData, teacher: TeacherRecommender, table: TeacherTable
) -> None:
    users, positions = all_keys(prepared)
    rows = table.join(users, positions)
    assert rows.found.all()
    for i, (user, position) in enumerate(zip(users, positions, strict=True)):
        history = prepared.train.row(user)[:position]
        scores = teacher.score(type(prepared.train).from_lists([history]))[0].clone()
        scores[torch.from_numpy(history).long()] = -torch.inf
        best = scores.topk(4)
        kept = torch.isfinite(best.values).numpy()
        assert rows.ids[i][kept].tolist() == best.indices.numpy()[kept].tolist()
        np.testing.assert_allclose(
            rows.logits[i][kept], (best.values - best.values[0]).numpy()[kept], atol=1e-4
        )
        target = scores[prepared.train.row(user)[position]]
        probability = np.exp(rows.logits[i, 0] - rows.log_total[i])
        np.testing.assert_allclose(probability, scores.softmax(0).max().item(), rtol=1e-4)
        if torch.isfinite(target):
            assert rows.target_rank[i] == 1 + int((scores > target).sum())
            want = float((target - best.values[0]).exp())
            np.testing.assert_allclose(rows.reliability[i], want, rtol=1e-4)
        else:
            assert rows.reliability[i] == 0


def test_join_is_by_key_whatever_the_order_on_both_sides(
    prepared: PreparedData, teacher: TeacherRecommender, table: TeacherTable, tmp_path: Path
) -> None:
    shuffled = list(score_positions(teacher, prepared.train, prepared.catalog.n_items))[::-1]
    writer = TableWriter(
        tmp_path / "shuffled",
        prepared,
        teacher_digest="t",
        top_k=4,
        logits="float32",
        rows_per_shard=7,
    )
    generator = np.random.default_rng(0)
    with writer:
        for part in shuffled:
            order = generator.permutation(len(part.users))
            writer.add(part.users[order], part.positions[order], part.scores[order])
    other = TeacherTable.open(tmp_path / "shuffled", prepared)
    assert len(other.manifest["shards"]) > 3
    users, positions = all_keys(prepared)
    order = generator.permutation(len(users))
    want, got = table.join(users, positions), other.join(users[order], positions[order])
    for column in ("ids", "logits", "log_total", "target_rank", "reliability"):
        np.testing.assert_array_equal(getattr(got, column), getattr(want, column)[order])


def test_missing_positions_are_counted_and_empty(
    prepared: PreparedData, table: TeacherTable
) -> None:
    rows = table.join(np.array([0, 0, 10_000]), np.array([1, 0, 1]))
    assert rows.found.tolist() == [True, False, False]
    assert rows.n_missing == 2
    assert (rows.ids[1:] == 0).all()
    assert (rows.reliability[1:] == 0).all()


def test_half_precision_keeps_the_best_items_apart(
    prepared: PreparedData, teacher: TeacherRecommender, table: TeacherTable, tmp_path: Path
) -> None:
    half = export_table(
        tmp_path / "half",
        prepared,
        score_positions(teacher, prepared.train, prepared.catalog.n_items),
        teacher_digest="t",
        top_k=4,
    )
    keys = all_keys(prepared)
    full = table.join(*keys).logits
    finite = np.isfinite(full)
    np.testing.assert_allclose(half.join(*keys).logits[finite], full[finite], atol=2e-3)


def test_seen_items_are_masked_unless_asked_for(
    prepared: PreparedData, table: TeacherTable, teacher: TeacherRecommender, tmp_path: Path
) -> None:
    open_table = export_table(
        tmp_path / "open",
        prepared,
        score_positions(teacher, prepared.train, prepared.catalog.n_items),
        teacher_digest="t",
        top_k=4,
        mask_seen=False,
    )
    users, positions = all_keys(prepared)
    seen = [set(prepared.train.row(u)[:p]) for u, p in zip(users, positions, strict=True)]
    masked, unmasked = table.join(users, positions).ids, open_table.join(users, positions).ids
    assert not any(set(ids) & have for ids, have in zip(masked, seen, strict=True))
    assert any(set(ids) & have for ids, have in zip(unmasked, seen, strict=True))


@pytest.mark.parametrize(("text", "share"), [("newest:2", None), ("share:0.5", 0.5), ("all", 1)])
def test_selections_hold_what_they_say(
    text: str,
    share: float | None,
    prepared: PreparedData,
    teacher: TeacherRecommender,
    tmp_path: Path,
) -> None:
    table = export_table(
        tmp_path / "some",
        prepared,
        score_positions(teacher, prepared.train, prepared.catalog.n_items),
        teacher_digest="t",
        select=Selection.parse(text),
    )
    users, positions = table.keys
    n_all = len(all_keys(prepared)[0])
    if share is None:
        assert (positions >= prepared.train.lengths[users] - 2).all()
        assert table.n_rows == np.minimum(prepared.train.lengths - 1, 2).sum()
    else:
        assert table.n_rows == pytest.approx(share * n_all, rel=0.25)


def test_a_bad_selection_is_refused() -> None:
    for text in ("newest", "newest:0", "share:2", "some"):
        with pytest.raises(UserError, match="is not understood"):
            Selection.parse(text)


def test_a_floor_teaches_too_and_out_of_fold_differs_from_in_sample(
    prepared: PreparedData, tmp_path: Path
) -> None:
    floor = fit_floor("markov", prepared.train, prepared.catalog)
    inside = export_table(
        tmp_path / "in",
        prepared,
        score_positions(floor, prepared.train, prepared.catalog.n_items),
        teacher_digest="f",
        top_k=3,
    )
    folds = cross_fitted_scores("markov", None, prepared.train, prepared.catalog, n_folds=3)
    outside = export_table(tmp_path / "out", prepared, folds, teacher_digest="f", top_k=3)
    keys = all_keys(prepared)
    a, b = inside.join(*keys), outside.join(*keys)
    assert a.n_missing == b.n_missing == 0
    assert a.reliability.mean() > b.reliability.mean()


def test_foreign_partial_and_corrupted_tables_are_refused(
    prepared: PreparedData, table: TeacherTable
) -> None:
    folder = table.folder
    manifest = json.loads((folder / "manifest.json").read_text())

    def rewrite(**changes: object) -> None:
        facts = {k: v for k, v in manifest.items() if k not in ("files", "sha256")}
        write_description(folder / "manifest.json", facts | changes, manifest["files"])

    other_split = replace(prepared, manifest={"split_digest": "another"})
    with pytest.raises(UserError, match="was made for split"):
        TeacherTable.open(folder, other_split)
    rewrite(catalog_digest="foreign")
    with pytest.raises(UserError, match="was made for catalog foreign"):
        TeacherTable.open(folder, prepared)
    rewrite(format=99)
    with pytest.raises(UserError, match="has format 99"):
        TeacherTable.open(folder, prepared)
    rewrite()

    shard = folder / "shard-00000.logits.npy"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UserError, match="not as it was written"):
        TeacherTable.open(folder, prepared)
    shard.write_bytes(whole[:-8])
    with pytest.raises(UserError, match="not as it was written"):
        TeacherTable.open(folder, prepared, verify=False)
    shard.unlink()
    with pytest.raises(UserError, match="lacks its file shard-00000"):
        TeacherTable.open(folder, prepared)
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match="did not finish"):
        TeacherTable.open(folder, prepared)


def test_a_killed_export_leaves_nothing_that_opens(
    prepared: PreparedData, teacher: TeacherRecommender, table: TeacherTable
) -> None:
    def fails_midway():
        yield next(iter(score_positions(teacher, prepared.train, prepared.catalog.n_items)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_table(table.folder, prepared, fails_midway(), teacher_digest="t", top_k=4)
    with pytest.raises(UserError, match="did not finish"):
        TeacherTable.open(table.folder, prepared)


def test_an_empty_selection_is_refused(prepared: PreparedData, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no training position"):
        export_table(tmp_path / "none", prepared, [], teacher_digest="t")


@pytest.mark.parametrize("keyed", [True, False])
def test_dllm2rec_files_go_out_and_come_back(
    keyed: bool, prepared: PreparedData, table: TeacherTable, tmp_path: Path
) -> None:
    write_dllm2rec(table, tmp_path / "files", as_torch=True)
    if not keyed:
        (tmp_path / "files" / "rows_train.txt").unlink()
    again = read_dllm2rec(tmp_path / "files", tmp_path / "back", prepared)
    keys = all_keys(prepared)
    want, got = table.join(*keys), again.join(*keys)
    np.testing.assert_array_equal(got.ids, want.ids)
    np.testing.assert_allclose(got.logits, want.logits, atol=1e-4)
    listed = want.ids == prepared.train.items[prepared.train.offsets[keys[0]] + keys[1]][:, None]
    listed = listed.any(1)
    np.testing.assert_allclose(got.reliability[listed], want.reliability[listed], atol=1e-4)
    assert (got.reliability[~listed] == 0).all()
    np.testing.assert_allclose(again.item_embeddings, table.item_embeddings)
    saved = torch.load(tmp_path / "files" / "all_embeddings.pt", weights_only=True)
    np.testing.assert_array_equal(saved.numpy(), table.item_embeddings[1:])
    ranks = np.loadtxt(tmp_path / "files" / "myrank_train.txt")
    assert ranks.min() >= 0
    assert ranks.max() < prepared.catalog.n_items


def test_dllm2rec_files_of_another_split_or_catalog_are_refused(
    prepared: PreparedData, table: TeacherTable, tmp_path: Path
) -> None:
    source = tmp_path / "files"
    write_dllm2rec(table, source)
    with pytest.raises(UserError, match="check first_id"):
        read_dllm2rec(source, tmp_path / "back", prepared, first_id=5)
    lines = (source / "myrank_train.txt").read_text().splitlines()
    (source / "myrank_train.txt").write_text("\n".join(lines[:-1]))
    with pytest.raises(UserError, match="of another split"):
        read_dllm2rec(source, tmp_path / "back", prepared)


def test_validation_scores_beside_the_table_stand_in_for_the_teacher(
    prepared: PreparedData, teacher: TeacherRecommender, table: TeacherTable, tmp_path: Path
) -> None:
    assert table.validation(prepared) is None
    kept = export_table(
        tmp_path / "kept",
        prepared,
        score_positions(teacher, prepared.train, prepared.catalog.n_items),
        teacher_digest="t",
        validate_by=teacher,
    ).validation(prepared)
    some = prepared.val.history.take(np.array([7, 2, 7]))
    torch.testing.assert_close(kept.score(some), teacher.score(some))
    assert kept.catalog_digest == prepared.catalog.digest
    with pytest.raises(UserError, match="validation cases only"):
        kept.score(Sequences.from_lists([[1, 1, 1, 1]]))
