"""Item texts made into vectors, and a student, its distilled student and its server on them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from safetensors.numpy import load_file, save_file

from recdistill.runs import find_run
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe, artifacts

TEXT = ["--student.item=id+text", "--student.id_dropout=0.2"]


def values(run_id: str) -> np.ndarray:
    found = find_run(MlflowClient(), run_id, stages=("embed_items",))
    return np.load(found.artifact("vectors") / "vectors.npy")


@pytest.fixture(scope="module")
def texts(recipe: Recipe) -> str:
    """Vectors by TF-IDF; the run's id."""
    return str(recipe("embed_items", "--encoder=tfidf", "--dim=16", *SMALL).info.run_id)


@pytest.fixture(scope="module")
def student(recipe: Recipe, texts: str) -> str:
    """A student with ids and texts; the run's id."""
    words = (*SMALL, *TINY_STUDENT, *TEXT, f"--text_run={texts}")
    return str(recipe("train_baseline", *words).info.run_id)


def test_a_language_model_of_any_kind_makes_vectors(recipe: Recipe, llama: str) -> None:
    pretrained = recipe("embed_items", f"--encoder={llama}", "--pooling=last", "--dim=8", *SMALL)
    drawn = recipe("embed_items", f"--encoder={llama}", "--weights=random", "--dim=8", *SMALL)
    assert pretrained.info.run_name.endswith("-d8-texts")
    assert "random0" in drawn.info.run_name
    first, second = values(pretrained.info.run_id), values(drawn.info.run_id)
    assert first.shape == second.shape
    assert np.abs(first - second).max() > 0.1
    assert pretrained.data.metrics["texts/n_texts"] == len(first) - 1


def test_an_encoder_that_was_written_anew_in_its_folder_encodes_again(
    recipe: Recipe, llama: str, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "encoder"))
    words = ["embed_items", f"--encoder={folder}", "--dim=8", *SMALL]
    before, same = (recipe(*words) for _ in range(2))
    assert same.data.tags["cache.hit_of"] == before.info.run_id
    weights = load_file(folder / "model.safetensors")
    changed = {name: value + value.std() for name, value in weights.items()}
    save_file(changed, folder / "model.safetensors", {"format": "pt"})
    after = recipe(*words)
    assert "cache.hit_of" not in after.data.tags
    assert np.abs(values(before.info.run_id) - values(after.info.run_id)).max() > 0.01


def test_permuted_vectors_are_the_same_vectors_at_other_items(recipe: Recipe, texts: str) -> None:
    dealt = recipe("embed_items", "--encoder=tfidf", "--dim=16", "--permuted=true", *SMALL)
    before, after = values(texts), values(dealt.info.run_id)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(np.sort(before, axis=0), np.sort(after, axis=0))


def test_a_student_with_texts_is_saved_as_a_plain_one_that_knows_its_texts(
    student: str, texts: str
) -> None:
    run = MlflowClient().get_run(student)
    assert run.data.tags["text_run_id"] == texts
    kept = {"config.json", "recipe.json", "weights.safetensors", "text.safetensors"}
    assert artifacts(run, "model") == kept
    assert run.data.metrics["test/n_users"] == 60


def test_a_distilled_student_has_the_texts_of_its_baseline(
    recipe: Recipe, student: str, texts: str
) -> None:
    run = recipe(
        "distill", f"--baseline_run={student}", "--teacher_run=none", "--listwise_weight=0", *SMALL
    )
    assert run.data.tags["text_run_id"] == texts
    # Nothing weighed on top: the baseline again, texts and dropped ids included.
    before = MlflowClient().get_run(student).data.metrics
    assert run.data.metrics["val/ndcg_at_10"] == before["val/ndcg_at_10"]


def test_a_student_with_texts_is_promoted_and_scores(recipe: Recipe, student: str) -> None:
    recipe("promote", f"--model_run={student}", *SMALL)
    recipe("score", f"--model_run={student}", "--k=3", *SMALL)


def test_random_tfidf_is_refused(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        recipe("embed_items", "--encoder=tfidf", "--weights=random", *SMALL)
    assert "tfidf has no weights" in capsys.readouterr().err
