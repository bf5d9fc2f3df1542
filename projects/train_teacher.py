"""Train a language model to rank the whole catalog, standing on a trained baseline.

mlflow run . --env-manager local -e train_teacher
mlflow run . --env-manager local -e train_teacher -P prompt=hybrid -P llm_layers=8
mlflow run . --env-manager local -e train_teacher -P weights=random      (control: no language)
mlflow run . --env-manager local -e train_teacher -P adapter=head        (control: no LLM)
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from projects._plan_training import MemoryLimits, plan_training
from projects._teacher import TeacherKnobs
from projects._write_titles import write_titles
from recdistill.data import OnData, prepare_for
from recdistill.evaluation import evaluate
from recdistill.results import log_differences, log_evaluation, result_sentence
from recdistill.runs import Run, stage
from recdistill.students import load_model as load_student
from recdistill.teachers import (
    GenerateSettings,
    Origin,
    TeacherNetwork,
    TeacherRecommender,
    TeacherSettings,
    TrainingSettings,
    audit_parameters,
    fit_teacher,
    llm_content,
    load_llm,
    resolve_precision,
    save_model,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from projects._plan_training import PlannedTraining
    from recdistill.data import PreparedData
    from recdistill.students import StudentRecommender
    from recdistill.teachers import LLM


@dataclass(frozen=True)
class Text:
    """What the language model reads; ``TeacherSettings`` says what each does."""

    instruction: str = "The items this user chose, oldest first:"
    item_text: Literal["title", "text"] = "title"
    max_title_tokens: int = 16


@dataclass(frozen=True)
class Optimizer:
    """Learning rates; ``TrainingSettings`` says what each does."""

    lr: float = 5e-4
    router_lr: float = 3e-4
    head_lr: float = 5e-4
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0


@dataclass(frozen=True)
class Config(TeacherKnobs, OnData):
    """Which teacher; conf/train_teacher.yaml says what each knob does and costs."""

    baseline_run: str = "latest"
    batch: int = 512
    max_length: int = 0
    max_epochs: int = 5
    patience: int = 2
    windows: Literal["newest", "all"] = "newest"
    ema: float = 0.98
    matmul_precision: Literal["highest", "high", "medium"] = "high"
    report_seconds: float = 20.0
    text: Text = field(default_factory=Text)
    generate: GenerateSettings = field(default_factory=GenerateSettings)
    optimizer: Optimizer = field(default_factory=Optimizer)
    memory: MemoryLimits = field(default_factory=MemoryLimits)

    def __post_init__(self) -> None:
        TeacherKnobs.__post_init__(self)
        OnData.__post_init__(self)

    def teacher_settings(self, longest: int) -> TeacherSettings:
        """Assemble the architecture; ``longest`` is what the baseline reads."""
        return TeacherSettings(
            mode=self.mode,
            prompt=self.prompt,
            adapter=self.adapter_settings(),
            max_length=self.max_length or min(longest, 100),
            instruction=self.text.instruction,
            item_text=self.text.item_text,
            max_title_tokens=self.text.max_title_tokens,
            head_dim=self.head.dim,
            head_dropout=self.head.dropout,
            free_items=self.head.free_items,
            residual=self.head.residual,
            train_backbone=self.train_backbone,
        )

    def training_settings(self) -> TrainingSettings:
        """Pick the loop's settings from this stage's."""
        return TrainingSettings(
            **vars(self.optimizer),
            max_epochs=self.max_epochs,
            patience=self.patience,
            batch=self.batch,
            windows=self.windows,
            ema=self.ema,
            precision=self.precision,
            matmul_precision=self.matmul_precision,
            checkpointing=self.checkpointing,
            report_seconds=self.report_seconds,
        )


def run(config: Config, run: Run) -> None:
    """Plan the memory, fit on train, select on val, keep the teacher, evaluate it once on test."""
    logging.getLogger("recdistill").setLevel(logging.INFO)
    logging.basicConfig(format="%(message)s")
    data = prepare_for(config)
    run.log_data(data)
    baseline_run = run.find(config.baseline_run, "train_baseline", data=data)
    run.rename(f"{label(config)}-s{config.seed}-teacher")
    run.set_tags({"baseline_run_id": baseline_run.id, "model": label(config)})
    inputs = {
        "catalog": data.catalog.digest,
        "split": data.split_digest,
        "baseline": baseline_run.id,
        "llm": "none" if config.adapter == "head" else llm_content(config.llm, config.weights),
    }
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    baseline = load_student(baseline_run.artifact("model"), data.catalog)
    settings = config.teacher_settings(baseline.model.max_length)
    with run.phase("plan"):
        planned = plan_training(config, settings, run, baseline, data)
    with run.phase("load"):
        llm = find_llm(config)
        network = build(settings, baseline, llm, data, config.seed)
    run.set_tags({"llm.digest": llm.digest if llm else "none"})
    keep_audit(run, network)

    origin = Origin(baseline, llm, data.split_digest)
    if config.mode == "generate":
        write_titles(planned, run, network, origin, data, config.seed)
        return
    fit(config, planned, run, network, data)
    teacher = TeacherRecommender(network, data.catalog.digest, origin)
    save_model(teacher, run.folder / "model")
    run.log_artifact(run.folder / "model", "model")

    test = log_evaluation(run, teacher, data)
    words = [
        result_sentence(run.name(), test),
        *log_differences(run, test, "baseline", [baseline_run]),
    ]
    run.note("\n\n".join(words))
    print("\n".join(words))


def label(config: Config) -> str:
    """Say what distinguishes this teacher, in the few letters the UI shows."""
    if config.adapter == "head":
        return "head"
    if config.mode == "generate":
        return f"{config.adapter}-generate{config.llm_layers or ''}"
    random = "-random" if config.weights == "random" else ""
    return f"{config.adapter}{random}-{config.prompt}{config.llm_layers or ''}"


def find_llm(config: Config) -> LLM | None:
    """Load the language model in the number format the device computes in."""
    if config.adapter == "head":
        return None
    _, dtype = resolve_precision(config.precision)
    return load_llm(
        config.llm,
        n_layers=config.llm_layers,
        weights=config.weights,
        seed=config.seed,
        dtype=torch.float32 if config.train_backbone else dtype,
    )


def build(
    settings: TeacherSettings,
    baseline: StudentRecommender,
    llm: LLM | None,
    data: PreparedData,
    seed: int,
) -> TeacherNetwork:
    """Put the network together; equal seeds give equal weights."""
    torch.manual_seed(seed)
    return TeacherNetwork(baseline.model, llm, data.catalog, settings)


def keep_audit(run: Run, network: TeacherNetwork) -> None:
    """Log every parameter with its shape, format and size."""
    audit = audit_parameters(network)
    path = run.folder / "parameters.csv"
    audit.to_csv(path, index=False)
    run.log_artifact(path, "memory")
    trainable = audit[audit["trainable"]]
    run.log_metrics(
        {
            "model/n_parameters": sum(p.numel() for p in network.parameters()),
            "model/n_trainable": sum(p.numel() for p in network.trainable().values()),
            "model/trainable_mb": trainable["bytes"].sum() / 1e6,
            "model/total_mb": audit["bytes"].sum() / 1e6,
        }
    )


def fit(
    config: Config, planned: PlannedTraining, run: Run, network: TeacherNetwork, data: PreparedData
) -> None:
    """Train, and leave the best epoch's weights in the network."""

    def validate(model: TeacherRecommender) -> Mapping[str, float]:
        return evaluate(model, data.val, data.catalog, data.train).metrics()

    with run.phase("fit"):
        fitted = fit_teacher(
            network,
            data,
            planned.training,
            validate=validate,
            log=run.log_metrics,
            checkpoints=Path(run.checkpoint_folder),
            seed=config.seed,
        )
    run.log_metrics(planned.against(fitted.measured_bytes))
    run.log_metrics(
        {
            "fit/best_epoch": fitted.best_epoch,
            "fit/n_steps": fitted.n_steps,
            "fit/n_pieces": fitted.n_parts,
        }
    )


if __name__ == "__main__":
    stage(run, Config, "train_teacher")
