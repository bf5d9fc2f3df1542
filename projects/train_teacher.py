"""Train a language model to rank the whole catalog, standing on a trained baseline.

mlflow run . --env-manager local -e train_teacher
mlflow run . --env-manager local -e train_teacher -P prompt=hybrid -P llm_layers=8
mlflow run . --env-manager local -e train_teacher -P weights=random      (control: no language)
mlflow run . --env-manager local -e train_teacher -P adapter=head        (control: no LLM)
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recdistill import memory, reporting, results, students, teachers
from recdistill.config import main_fields, part_of
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError
from recdistill.ranks import Devices, together
from recdistill.runs import stage
from recdistill.teachers import (
    GenerateSettings,
    MemoryLimits,
    TeacherConfig,
    TextSettings,
    TrainingSettings,
)
from recdistill.training import find_baseline

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import Run
    from recdistill.teachers import (
        Origin,
        PlannedTraining,
        TeacherNetwork,
        TeacherRecipe,
        TeacherSettings,
    )


@main_fields("baseline_run", "weights", "batch")
@dataclass(frozen=True)
class Config(TeacherConfig, TrainingSettings, Devices, OnData):
    """Which teacher; conf/train_teacher.yaml says what each knob does and costs."""

    baseline_run: str = "latest"
    max_length: int | None = None  # None: what the baseline reads, at most 100
    text: TextSettings = field(default_factory=TextSettings)
    generate: GenerateSettings = field(default_factory=GenerateSettings)
    memory: MemoryLimits = field(default_factory=MemoryLimits)

    def __post_init__(self) -> None:
        TeacherConfig.__post_init__(self)
        Devices.__post_init__(self)
        OnData.__post_init__(self)
        if self.mode == "generate" and self.n_ranks > 1:
            raise UserError("mode=generate trains on one device: leave devices and num_nodes at 1.")

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        return OnData.unused(self) | self.without_meaning()

    def teacher_settings(self, longest: int) -> TeacherSettings:
        """Pick what is saved with the teacher; ``longest`` is what the baseline reads."""
        return part_of(
            self, teachers.TeacherSettings, max_length=self.max_length or min(longest, 100)
        )

    def recipe(self) -> TeacherRecipe:
        """Return what another teacher must have in common with this one to be trained like it."""
        return teachers.TeacherRecipe(part_of(self, TeacherConfig), self.training_settings())

    def training_settings(self) -> TrainingSettings:
        """Pick the loop's settings."""
        return part_of(self, TrainingSettings)


def run(config: Config, run: Run) -> None:
    """Plan the memory, fit on train, select on val, keep the teacher, evaluate it once on test."""
    logging.getLogger("recdistill").setLevel(logging.INFO)
    logging.basicConfig(format="%(message)s")
    data = prepare_for(config)
    run.log_data(data)
    baseline_run = find_baseline(config.baseline_run, run, data)
    run.rename(config.label(), f"s{config.seed}-teacher")
    run.set_tags({"baseline_run_id": baseline_run.id, "model": config.label()})
    inputs = data.inputs() | {
        "baseline": baseline_run.id,
        "llm": "none"
        if config.adapter == "head"
        else teachers.llm_content(config.llm, config.weights),
    }
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    baseline = students.load_model(baseline_run.artifact("model"), data.catalog)
    settings = config.teacher_settings(baseline.model.max_length)
    with run.phase("plan"):
        planned = plan(config, settings, run, data, baseline.model.dim)
    with run.phase("load"):
        llm = config.load_llm(config.seed)
        network = teachers.build_teacher(
            baseline.model, llm, data.catalog, settings, seed=config.seed
        )
    run.set_tags({"llm.digest": llm.digest if llm else "none"})
    keep_audit(run, network)

    origin = teachers.Origin(baseline, llm, data.split_digest)
    if config.mode == "generate":
        write_titles(config, planned, run, network, origin, data)
        return
    fit(config, planned, run, network, data)
    teacher = teachers.TeacherRecommender(network, data.catalog.digest, origin)
    teachers.save_model(teacher, run.folder / "model")
    teachers.save_recipe(config.recipe(), run.folder / "model")
    run.log_artifact(run.folder / "model", "model")

    test = results.log_evaluation(run, teacher, data)
    words = [
        results.result_sentence(run.name(), test),
        *reporting.log_differences(run, [run.id], "baseline", [[baseline_run.id]]),
    ]
    run.note("\n\n".join(words))
    print("\n".join(words))


def plan(
    config: Config, settings: TeacherSettings, run: Run, data: PreparedData, item_dim: int
) -> PlannedTraining:
    """Cut the step until it fits the memory; say and log what was planned, also in a refusal."""
    training = config.training_settings()
    try:
        planned = teachers.plan_training(
            config,
            settings,
            training,
            config.generate,
            config.memory,
            data,
            item_dim=item_dim,
            devices=part_of(config, Devices),
        )
    except memory.DoesNotFitError as refused:
        print(refused.plan.table())
        run.log_metrics(refused.plan.metrics())
        run.log_text(refused.plan.table() + "\n", "memory/plan.md")
        raise
    if planned.cut:
        print(planned.sentence(), flush=True)
        run.log_text(f"{planned.sentence()}\n\n{planned.cut.plan.table()}\n", "memory/plan.md")
    run.log_metrics(planned.metrics())
    return planned


def keep_audit(run: Run, network: TeacherNetwork) -> None:
    """Log every parameter with its shape, format and size."""
    audit = teachers.audit_parameters(network)
    path = run.folder / "parameters.csv"
    audit.to_csv(path, index=False)
    run.log_artifact(path, "memory")
    run.log_metrics(teachers.size_metrics(network, audit))


def fit(
    config: Config, planned: PlannedTraining, run: Run, network: TeacherNetwork, data: PreparedData
) -> None:
    """Train, and leave the best epoch's weights in the network."""
    with run.phase("fit"):
        fitted = together(
            part_of(config, Devices),
            teachers.fit_teacher,
            network,
            data,
            config.training_settings(),
            seed=config.seed,
            n_parts=planned.n_parts,
            watch_memory=True,
            strategy=config.strategy,
            own={"log": run.log_metrics, "checkpoints": run.checkpoint_folder},
        )
    run.log_metrics(planned.measured_metrics(fitted.measured_bytes))
    run.log_metrics(
        {
            "fit/best_epoch": fitted.best_epoch,
            "fit/n_steps": fitted.n_steps,
            "fit/n_pieces": fitted.n_parts,
        }
    )


def write_titles(
    config: Config,
    planned: PlannedTraining,
    run: Run,
    network: TeacherNetwork,
    origin: Origin,
    data: PreparedData,
) -> None:
    """Train to write titles, keep the teacher, answer every test case, report HR@1."""
    if origin.llm is None:
        raise UserError("mode=generate needs a language model: adapter=head has none.")
    how, training = planned.generate, config.training_settings()
    if training.checkpointing:
        network.enable_checkpointing()
    teacher = teachers.GenerativeTeacher(network, origin.llm.tokenizer, data.catalog, how.n_history)
    with run.phase("fit"):
        teachers.fit_generative(teacher, data, how, training, log=run.log_metrics, seed=config.seed)
    teachers.save_model(
        teachers.TeacherRecommender(network, data.catalog.digest, origin), run.folder / "model"
    )
    run.log_artifact(run.folder / "model", "model")
    with run.phase("evaluate"):
        answers = teachers.answer_cases(
            teacher,
            origin.baseline,
            data.test,
            data.catalog.n_items,
            n_candidates=how.n_candidates,
        )
    for name, choices in answers.items():
        run.log_metrics({f"test/{name}/{key}": v for key, v in choices.metrics().items()})
    run.set_tags({"protocol": f"{how.n_candidates} candidates, seed 0, v1"})
    run.note(teachers.answers_table(answers))
    print(teachers.answers_table(answers))


if __name__ == "__main__":
    stage(run, Config, "train_teacher")
