from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
import torch

from recdistill.checksums import write_description
from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.saved_models import load_recommender
from recdistill.serving import (
    Registry,
    TopK,
    gather_student,
)
from recdistill.serving._in_catalog import InCatalog
from recdistill.students import StudentConfig, StudentRecommender, build_student, save_model
from recdistill.students._item_table import TextMap

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

    from recdistill.data import Catalog


def histories(n: int, longest: int = 30) -> Sequences:
    rng = np.random.default_rng(1)
    return Sequences.from_lists(
        rng.integers(1, 61, size).tolist() for size in rng.integers(1, longest, n)
    )


def expected(
    student: StudentRecommender, rows: Sequences, k: int, barred: list[int], *, keep: bool
) -> tuple[np.ndarray, np.ndarray]:
    scores = student.score(rows).clone()
    scores[:, barred] = -torch.inf
    if not keep:
        at, _ = rows.keys()
        scores[torch.from_numpy(at), torch.from_numpy(rows.items.astype(np.int64))] = -torch.inf
    values, items = scores.topk(k)
    return items.numpy(), values.numpy()


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("barred", [[], [3, 41]])
def test_served_lists_are_those_of_the_evaluated_student(
    folder: Path, student: StudentRecommender, keep: bool, barred: list[int]
) -> None:
    rows = histories(150)
    top_k = TopK.read(folder, n_threads=2)
    items, scores = top_k.recommend(
        rows.items.astype(np.int64), rows.offsets, 7, exclude=barred, keep_history=keep
    )
    wanted, values = expected(student, rows, 7, barred, keep=keep)
    assert np.array_equal(items, wanted)
    np.testing.assert_allclose(scores, values, atol=1e-4)


def test_a_history_scores_the_same_alone_and_in_a_crowd(folder: Path) -> None:
    rows = histories(80)
    top_k = TopK.read(folder)
    together = top_k.recommend(rows.items.astype(np.int64), rows.offsets, 5)
    alone = rows.take(np.array([17]))
    items, scores = top_k.recommend(alone.items.astype(np.int64), alone.offsets, 5)
    assert np.array_equal(items[0], together[0][17])
    np.testing.assert_allclose(scores[0], together[1][17], atol=1e-5)


def test_the_callers_threads_stay_as_they_are(folder: Path) -> None:
    before = torch.get_num_threads()
    rows = histories(10)
    TopK.read(folder, n_threads=3).recommend(rows.items.astype(np.int64), rows.offsets, 5)
    assert torch.get_num_threads() == before


def test_another_catalog_is_refused(folder: Path) -> None:
    lines = (folder / "catalog.csv").read_text().splitlines()
    (folder / "catalog.csv").write_text("\n".join(lines[:-1]))
    with pytest.raises(UserError, match="not as it was written"):
        TopK.read(folder)
    facts = json.loads((folder / "config.json").read_text())
    del facts["files"], facts["sha256"]
    write_description(folder / "config.json", facts, ["weights.safetensors", "catalog.csv"])
    with pytest.raises(UserError, match="60 items beside a catalog of 59"):
        TopK.read(folder)


def test_items_that_training_never_met_are_shifted_by_what_was_learnt(
    student: StudentRecommender, catalog: Catalog, tmp_path: Path
) -> None:
    told = replace(student, text=TextMap(torch.zeros(4, 16), {}, 1000.0))
    save_model(told, tmp_path / "model")
    catalog.items.reset_index().to_csv(tmp_path / "catalog.csv", index=False)
    gathered = gather_student(
        tmp_path / "model", tmp_path / "catalog.csv", tmp_path / "student", never_met=[7, 9]
    )
    top_k = TopK.read(gathered)
    rows = histories(20)
    items, scores = top_k.recommend(
        rows.items.astype(np.int64), rows.offsets, 60, keep_history=True
    )
    assert {tuple(sorted(best)) for best in items[:, :2].tolist()} == {(7, 9)}
    plain = student.score(rows).clone()
    plain[:, [7, 9]] += 1000
    np.testing.assert_allclose(scores, plain[:, 1:].sort(1, descending=True)[0], atol=1e-3)
    in_catalog = InCatalog(top_k, catalog).score(rows)
    np.testing.assert_allclose(in_catalog[:, 1:], plain[:, 1:], atol=1e-3)


@pytest.mark.parametrize("query_time", ["last", "known"])
def test_a_student_that_reads_times_is_not_served(
    query_time: Literal["last", "known"], catalog: Catalog, tmp_path: Path
) -> None:
    config = StudentConfig("hstu", max_length=12, query_time=query_time, dim=16)
    model = build_student(config, catalog.n_items, seed=0)
    save_model(StudentRecommender(model, config, catalog.digest, "split"), tmp_path / "model")
    with pytest.raises(UserError, match=f"query_time={query_time} and cannot be served"):
        gather_student(tmp_path / "model", tmp_path / "catalog.csv", tmp_path / "student")
    with pytest.raises(UserError, match="cannot be a teacher or a champion"):
        load_recommender(tmp_path / "model", catalog)
    read = load_recommender(tmp_path / "model", catalog, with_times=True)
    assert read.query_time == query_time  # type: ignore[attr-defined]


class Planted:
    """What a registered model from elsewhere may hold."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code of the model ran')",))


def test_reading_a_registered_student_runs_nothing_that_lies_in_it(
    folder: Path, store: MlflowClient, tmp_path: Path
) -> None:
    """As ``promote`` and ``watch`` read who serves; ``mlflow models serve`` runs the package."""
    package = tmp_path / "package"
    shutil.copytree(folder, package / "artifacts" / "student")
    for place in (package, package / "artifacts" / "student", package / "code"):
        place.mkdir(exist_ok=True)
        (place / "__init__.py").write_text("raise SystemExit('code of the model ran')")
        (place / "sitecustomize.py").write_text("raise SystemExit('code of the model ran')")
        (place / "python_model.pkl").write_bytes(pickle.dumps(Planted()))
    (package / "MLmodel").write_text("flavors: {python_function: {loader_module: __init__}}\n")
    store.create_registered_model("films")
    store.create_model_version("films", str(package))
    found = Registry(store, "films").version(1).student()
    items, _ = TopK.read(found).recommend(np.array([1]), np.array([0, 1]), 3)
    assert items.shape == (1, 3)

    weights = found / "weights.safetensors"
    weights.write_bytes(pickle.dumps(Planted()))
    with pytest.raises(UserError) as refused:
        TopK.read(found)
    assert "\n" not in str(refused.value)
