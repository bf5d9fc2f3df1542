"""Train what everything later is measured against: SASRec, LiGR, HSTU, GRU4Rec, or floors.

mlflow run . --env-manager local -e train_baseline -P dataset=ml-100k -P seed=1
mlflow run . --env-manager local -e train_baseline -P model=floors
mlflow run . --env-manager local -e train_baseline -P model=counter,ease
mlflow run . --env-manager local -e train_baseline -P student.item=id+text -P text_run=latest
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from recdistill import floors, results, runs, students, text_runs, training
from recdistill.config import main_fields, part_of
from recdistill.data import OnData, as_read_by, prepare_for
from recdistill.errors import UserError
from recdistill.floors import (
    COUNTING_FLOORS,
    FLOOR_KINDS,
    CounterConfig,
    EASEConfig,
    KNNConfig,
    MarkovConfig,
    TextEASEConfig,
    TfidfConfig,
)
from recdistill.ranks import Devices, together
from recdistill.runs import stage
from recdistill.students import STUDENT_KINDS
from recdistill.training import StudentTraining

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.floors import Floor
    from recdistill.runs import Run
    from recdistill.students import StudentKind, StudentRecommender
    from recdistill.texts import ItemVectors

ALL_FLOORS = "floors"


@main_fields("model", "loss", "n_negatives", "max_epochs", "max_length", "text_run")
@dataclass(frozen=True)
class Config(StudentTraining, Devices):
    """Which model or models; conf/train_baseline.yaml says what each knob does and costs."""

    model: str = "sasrec"
    text_run: str = "latest"
    markov: MarkovConfig = field(default_factory=MarkovConfig)
    ease: EASEConfig = field(default_factory=EASEConfig)
    knn: KNNConfig = field(default_factory=KNNConfig)
    counter: CounterConfig = field(default_factory=CounterConfig)
    tfidf: TfidfConfig = field(default_factory=TfidfConfig)
    ease_text: TextEASEConfig = field(default_factory=TextEASEConfig)

    def __post_init__(self) -> None:
        StudentTraining.__post_init__(self)
        Devices.__post_init__(self)
        self.require_replicas()
        known = (*STUDENT_KINDS, *FLOOR_KINDS)
        unknown = [name for name in self.models() if name not in known]
        if unknown or not self.models():
            raise UserError(
                f"model is {self.model!r}, where {(unknown or ['nothing'])[0]!r} is no model: take "
                f"some of {', '.join(known)} (with commas between), or {ALL_FLOORS}."
            )
        for kind in self.models():
            if kind in STUDENT_KINDS:  # what no student of this kind can be is refused here
                self.recipe(kind)

    def models(self) -> tuple[str, ...]:
        """Return the models that are asked for, each once."""
        words = [word.strip() for word in self.model.split(",")]
        named = [k for w in words for k in (COUNTING_FLOORS if w == ALL_FLOORS else (w,)) if k]
        return tuple(dict.fromkeys(named))

    def unused(self) -> set[str]:
        """Name the settings of models that are not asked for; see ``runs.used_settings``."""
        unused = super().unused() | set(FLOOR_KINDS) - set(self.models())
        if not set(self.models()) & set(STUDENT_KINDS):
            of_data = {f.name for f in fields(OnData)}
            own = {f.name for kind in (StudentTraining, Devices) for f in fields(kind)}
            unused |= own - of_data
        if self.items() == "id":
            unused |= {"text_run"}
        return unused

    def items(self) -> str:
        """Say what an item's vector is made of; a floor knows numbers alone."""
        return self.student.item if set(self.models()) & set(STUDENT_KINDS) else "id"


def run(config: Config, run: Run) -> None:
    """Train the model; several ones in one go, each in a run of its own below this one."""
    data = prepare_for(config)
    kinds = config.models()
    if len(kinds) == 1:
        train(replace(config, model=kinds[0]), run, data)
        return
    name = ALL_FLOORS if kinds == COUNTING_FLOORS else f"{len(kinds)}-models"
    run.rename(name, f"s{config.seed}-baseline")
    run.set_tags({"dataset": data.dataset})
    sentences, n_reused = [], 0
    for kind in kinds:
        own = replace(config, model=kind)
        with runs.open_run("train_baseline", own, parent=run.id) as child:
            sentences.append(train(own, child, data))
            n_reused += child.reused is not None
    run.set_tags({"reused": f"{n_reused} of {len(kinds)}"})
    run.note("\n".join(f"- {sentence}" for sentence in sentences if sentence))


def train(config: Config, run: Run, data: PreparedData) -> str:
    """Fit one model on train, select on val, keep it, evaluate it once on test; say the result."""
    run.log_data(data)
    text = "" if config.items() == "id" else "-text"
    run.rename(f"{config.model}{text}", f"s{config.seed}-baseline")
    run.set_tags({"model": config.model})
    is_floor = config.model in FLOOR_KINDS
    data = data if is_floor else as_read_by(config.student, data)
    texts = text_runs.find_texts(config.text_run, config.items(), run, data)
    run.set_tags(texts.tags())
    inputs = data.inputs() | texts.inputs()
    if run.already_done(inputs, use_cache=config.use_cache):
        return ""

    model: Floor | StudentRecommender
    if is_floor:
        model, n_epochs = fit_a_floor(config, run, data), 0
        floors.save_model(model, run.folder / "model", split_digest=data.split_digest)
    else:
        fitted, n_epochs = fit_a_student(config, run, data, texts.vectors(data))
        model = student = results.learn_new_item_shift(run, fitted, data)
        students.save_model(student, run.folder / "model")
        training.save_recipe(config.recipe(student_kind(config)), run.folder / "model")
    run.log_artifact(run.folder / "model", "model")

    test = results.log_evaluation(run, model, data, step=n_epochs, brief=is_floor)
    summary = results.result_sentence(run.name(), test)
    run.note(f"{summary}\n\nFull ranking of {data.catalog.n_items} items, history masked.")
    print(summary)
    return summary


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
        fitted = together(
            part_of(config, Devices),
            fit_student,
            config.recipe(student_kind(config)),
            data,
            seed=config.seed,
            vectors=vectors,
            own={
                "log": run.log_metrics,
                "checkpoint_folder": Path(run.checkpoint_folder),
            },
        )
    run.log_metrics(fitted.metrics())
    return fitted.recommender, fitted.result.n_epochs


if __name__ == "__main__":
    stage(run, Config, "train_baseline")
