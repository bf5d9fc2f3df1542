"""Train what everything later is measured against: SASRec, GRU4Rec, or one of the cheap floors.

mlflow run . --env-manager local -e train_baseline -P dataset=ml-100k -P seed=1
mlflow run . --env-manager local -e train_baseline -P model=counter
mlflow run . --env-manager local -e train_baseline -P student.item=id+text -P text_run=latest
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from recdistill import floors, results, students, text_runs, training
from recdistill.data import prepare_for
from recdistill.floors import (
    CounterConfig,
    EASEConfig,
    KNNConfig,
    MarkovConfig,
    TextEASEConfig,
    TfidfConfig,
)
from recdistill.runs import stage
from recdistill.training import StudentTraining

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.floors import Floor
    from recdistill.runs import Run
    from recdistill.students import StudentKind, StudentRecommender
    from recdistill.texts import ItemVectors


@dataclass(frozen=True)
class Config(StudentTraining):
    """Which model; conf/train_baseline.yaml says what each knob does and costs."""

    model: Literal[students.StudentKind, floors.FloorKind] = "sasrec"
    text_run: str = "latest"
    markov: MarkovConfig = field(default_factory=MarkovConfig)
    ease: EASEConfig = field(default_factory=EASEConfig)
    knn: KNNConfig = field(default_factory=KNNConfig)
    counter: CounterConfig = field(default_factory=CounterConfig)
    tfidf: TfidfConfig = field(default_factory=TfidfConfig)
    ease_text: TextEASEConfig = field(default_factory=TextEASEConfig)


def run(config: Config, run: Run) -> None:
    """Fit on train, select on val, keep the model, evaluate it once on test."""
    data = prepare_for(config)
    run.log_data(data)
    run.rename(f"{config.model}-s{config.seed}-baseline")
    run.set_tags({"model": config.model})
    texts = text_runs.find_texts(config.text_run, config.student.item, run, data)
    run.set_tags(texts.tags())
    inputs = {"catalog": data.catalog.digest, "split": data.split_digest} | texts.inputs()
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    model: Floor | StudentRecommender
    if config.model in floors.FLOOR_KINDS:
        model, n_epochs = fit_a_floor(config, run, data), 0
        floors.save_model(model, run.folder / "model", split_digest=data.split_digest)
    else:
        model, n_epochs = fit_a_student(config, run, data, texts.vectors(data))
        students.save_model(model, run.folder / "model")
        training.save_recipe(config.recipe(student_kind(config)), run.folder / "model")
    run.log_artifact(run.folder / "model", "model")

    test = results.log_evaluation(run, model, data, step=n_epochs)
    summary = results.result_sentence(run.name(), test)
    run.note(f"{summary}\n\nFull ranking of {data.catalog.n_items} items, history masked.")
    print(summary)


def student_kind(config: Config) -> StudentKind:
    """Return which student it is, where it is one."""
    return cast("StudentKind", config.model)


def fit_a_floor(config: Config, run: Run, data: PreparedData) -> Floor:
    """Count; nothing is drawn, so the seed changes nothing."""
    with run.phase("fit"):
        return floors.fit_floor(
            config.model, data.train, data.catalog, getattr(config, config.model, None)
        )


def fit_a_student(
    config: Config, run: Run, data: PreparedData, vectors: ItemVectors | None
) -> tuple[StudentRecommender, int]:
    """Train every position, select on validation NDCG@10 of the averaged weights."""
    fit_student = training.fit_student  # importing it is no part of the time to fit
    with run.phase("fit"):
        fitted = fit_student(
            config.recipe(student_kind(config)),
            data,
            seed=config.seed,
            vectors=vectors,
            log=run.log_metrics,
            checkpoint_folder=Path(run.checkpoint_folder),
        )
    run.log_metrics(fitted.metrics())
    return fitted.recommender, fitted.result.n_epochs


if __name__ == "__main__":
    stage(run, Config, "train_baseline")
