"""The whole story on a few users, its steps in this process instead of one each."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import mlflow
import pytest
from mlflow import MlflowClient

from recdistill.config import parse, stage_module
from recdistill.errors import UserError
from recdistill.runs import open_run
from recdistill.runs._references import find_run
from tests.recipes.conftest import SMALL, TINY_STUDENT, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recdistill.runs import Run, RunReference


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch, llama: str) -> None:
    """Start a child's stage here, small, where main would start a process: ten times faster."""
    small: dict[str, list[str]] = {
        "train_baseline": TINY_STUDENT,
        "train_teacher": [f"--llm={llama}", "--llm_layers=0", "--max_epochs=1", "--max_length=20"],
    }

    class InThisProcess:
        """Stands for `recdistill.runs._launch.Child`."""

        cpu_seconds = 1.0

        def __init__(self, parent: Run, name: str, parameters: Mapping[str, Any], **_: Any) -> None:
            self._parent, self._name, self._parameters = parent, name, parameters

        def wait(self) -> RunReference:
            stage = importlib.import_module(f"projects.{self._name}")
            words = [f"--{key}={value}" for key, value in self._parameters.items()]
            config = parse(stage.Config, self._name, [*words, *small.get(self._name, [])])
            with open_run(self._name, config, parent=self._parent.id) as child:
                self.run_id = child.id
                stage.run(config, child)
            return find_run(self._parent.client, child.id, stages=(self._name,))

        def send(self, number: int) -> None:
            pass

    monkeypatch.setattr("recdistill.runs._steps.Child", InThisProcess)


# One seed and no controls; the floors share a process.
FLOORS = ["--floors=[popularity]", "--teaching=[ease]"]
FEW = [*FLOORS, "--n_seeds=1", "--controls=[]", "--teacher_teaches=true", "--at_once=1"]


def test_main_tells_the_whole_story_and_what_it_is_worth(
    recipe: Recipe, in_this_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe("main", "--preset=quick", *FEW, *SMALL)
    children = MlflowClient().search_runs(["0"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    stages = sorted(child.data.tags["stage"] for child in children)
    assert stages == [
        "compare", "distill", "make_transfer_set", "prepare_data",
        "train_baseline", "train_baseline", "train_teacher",
    ]  # fmt: skip
    student = next(c for c in children if c.data.tags["stage"] == "distill")
    transfer = next(c for c in children if c.data.tags["stage"] == "make_transfer_set")
    assert student.data.tags["transfer_run_id"] == transfer.info.run_id
    assert len(transfer.data.tags["teacher_run_id"].split(",")) == 3
    assert any(name.startswith("p/") for name in run.data.metrics)
    assert "proves nothing" in run.data.tags["mlflow.note.content"]
    report = next(c for c in children if c.data.tags["stage"] == "compare").info.run_id
    assert "proves nothing" in mlflow.artifacts.load_text(f"runs:/{report}/report.html")
    assert "proves nothing" in capsys.readouterr().out


def test_main_again_reuses_every_step(
    recipe: Recipe, in_this_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe("main", "--preset=quick", *FEW, *SMALL)
    said = capsys.readouterr().out
    # All but compare, whose runs are new ones, and the floors' own parent.
    assert len(re.findall(r"^ ?\d/7 .* reused$", said, re.M)) == 5
    assert "2 of 2 reused" in run.data.tags["mlflow.note.content"]


def test_main_without_a_teacher_learns_from_floors_alone_and_is_measured_against_a_control(
    recipe: Recipe, in_this_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    run = recipe("main", "--with_teacher=false", "--n_seeds=2", "--at_once=1", *FLOORS, *SMALL)
    said = capsys.readouterr().out
    for other in ("its baseline", "the control no_lists", "the best floor, "):
        assert re.search(rf"The student .*{other}.* [-+][.\d]+ \[.*\]  p[=<][.\d]+$", said, re.M), (
            other
        )
    assert "on 60 test users, users and trainings drawn" in said
    record = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/steps.json")
    assert [one["n_trainings"] for one in record["differences"]] == [[2, 2], [2, 2], [2, 1]]
    # Data, floors, two baselines, a pool, two students, two controls, the comparison.
    assert len(record["steps"]) == 10
    children = MlflowClient().search_runs(["0"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    assert "train_teacher" not in {child.data.tags["stage"] for child in children}
    assert "distill" in {child.data.tags["stage"] for child in children}


def test_main_gives_every_student_a_pool_of_its_own_where_asked(
    recipe: Recipe, in_this_process: None
) -> None:
    asked = ["--floors=[popularity]", "--teaching=[sasrec,ease]", "--pools=each", "--n_seeds=2"]
    asked += ["--with_teacher=false", "--controls=[no_lists]", "--student_settings={max_epochs: 1}"]
    told = ["--control_settings={no_lists: {dropout: 0.2}}", "--at_once=1"]
    run = recipe("main", "--preset=quick", *asked, *told, *SMALL)
    children = MlflowClient().search_runs(["0"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    of = {
        name: sorted((c for c in children if c.data.tags["stage"] == name), key=seed_of)
        for name in ("train_baseline", "make_transfer_set", "distill")
    }
    networks = [c for c in of["train_baseline"] if c.data.tags.get("model") == "sasrec"]
    assert [seed_of(c) for c in networks] == [0, 1, 100, 200]
    pools = [c.data.tags["teacher_run_id"].split(",") for c in of["make_transfer_set"]]
    assert [pool[0] for pool in pools] == [c.info.run_id for c in networks[2:]]
    students = [c for c in of["distill"] if c.data.params["config.control"] == "none"]
    for student, own in zip(students, of["make_transfer_set"], strict=True):
        assert student.data.tags["transfer_run_id"] == own.info.run_id
        assert student.data.params["config.max_epochs"] == "1"
    controls = [c for c in of["distill"] if c not in students]
    assert [c.data.params["config.dropout"] for c in controls] == ["0.2", "0.2"]
    assert "1" not in [c.data.params["config.max_epochs"] for c in controls]
    compared = next(c for c in children if c.data.tags["stage"] == "compare")
    # Reused runs are named by those they stand for, so by what they are.
    told = [MlflowClient().get_run(one) for one in compared.data.tags["compared_runs"].split(",")]
    seeds = sorted(seed_of(one) for one in told if one.data.tags.get("model") == "sasrec")
    assert seeds == [0, 1], "who taught is no baseline"


def test_main_with_texts_reads_them_once_for_baseline_teachers_and_students(
    recipe: Recipe, in_this_process: None
) -> None:
    asked = ["--model=sasrec-text", "--beside=[sasrec]", "--teaching=[sasrec-text,tfidf]"]
    asked += ["--floors=[]", "--pools=each", "--n_seeds=1", "--with_teacher=false", "--controls=[]"]
    # A seed of its own: runs that are reused from other tests are named by what they stand for.
    told = ["--network_settings={sasrec-text: {student.dropout: 0.3}}", "--at_once=1", "--seed=3"]
    told += [
        "--teaching_settings={sasrec-text: {student.dropout: 0.1}}",
        "--text_settings={dim: 16}",
    ]
    run = recipe("main", "--preset=quick", *asked, *told, *SMALL)
    children = MlflowClient().search_runs(["0"], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'")
    (texts,) = (c for c in children if c.data.tags["stage"] == "embed_items")
    networks = [c for c in children if c.data.tags.get("model") == "sasrec"]
    with_texts = [c for c in networks if c.data.params["config.student.item"] == "id+text"]
    (ids,) = (c for c in networks if c not in with_texts)
    baseline, teacher = sorted(with_texts, key=seed_of)
    assert {c.data.tags["text_run_id"] for c in with_texts} == {texts.info.run_id}
    assert [c.data.params["config.student.dropout"] for c in (baseline, teacher)] == ["0.3", "0.1"]
    assert "text_run_id" not in ids.data.tags
    names = [one.data.tags["mlflow.runName"] for one in (baseline, teacher, ids)]
    assert names == ["sasrec-text-s3-baseline", "sasrec-text-s400-baseline", "sasrec-s3-baseline"]
    student = next(c for c in children if c.data.tags["stage"] == "distill")
    assert student.data.tags["baseline_run_id"] == baseline.info.run_id
    transfer = next(c for c in children if c.data.tags["stage"] == "make_transfer_set")
    assert transfer.data.tags["teacher_run_id"].split(",")[0] == teacher.info.run_id
    compared = next(c for c in children if c.data.tags["stage"] == "compare")
    told_apart = compared.data.tags["compared_runs"].split(",")
    assert ids.info.run_id in told_apart
    assert baseline.info.run_id in told_apart
    assert teacher.info.run_id not in told_apart


def seed_of(run: mlflow.entities.Run) -> int:
    return int(run.data.tags["seed"])


@pytest.mark.parametrize(
    ("word", "where"),
    [
        ("--student_settings={max_epoch: 1}", "student_settings: .*max_epoch"),
        ("--student_settings={max_epochs: 0}", "student_settings: .*max_epochs"),
        ("--control_settings={no_lists: {dropout: 2}}", r"control_settings\.no_lists: .*dropout"),
    ],
)
def test_settings_that_distill_would_refuse_are_refused_before_anything_is_trained(
    word: str, where: str
) -> None:
    with pytest.raises(UserError, match=where):
        parse(stage_module("main").Config, "main", [word])
