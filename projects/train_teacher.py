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

from projects._finish import log_evaluation, sentence
from projects._on_data import OnData
from recdistill.errors import UserError
from recdistill.evaluation import compare_paired, evaluate, load_evaluation
from recdistill.students import load_model as load_student
from recdistill.teachers import (
    AdapterKind,
    AdapterSettings,
    GenerateSettings,
    GenerativeTeacher,
    Origin,
    Precision,
    Prompt,
    RouterKind,
    TeacherNetwork,
    TeacherRecommender,
    TeacherSettings,
    TrainingSettings,
    Weights,
    audit_parameters,
    choose_by_scores,
    draw_candidates,
    fit_generative,
    fit_teacher,
    load_llm,
    resolve_precision,
    save_model,
)
from recdistill.tracking import Run, stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recdistill.data import PreparedData
    from recdistill.evaluation import Evaluation
    from recdistill.students import StudentRecommender
    from recdistill.teachers import LLM
    from recdistill.tracking import RunReference


@dataclass(frozen=True)
class Lora:
    """The adapter's own knobs; ``AdapterSettings`` says what each does."""

    alpha: float = 32.0
    dropout: float = 0.1
    router: RouterKind = "linear"


@dataclass(frozen=True)
class Text:
    """What the language model reads; ``TeacherSettings`` says what each does."""

    instruction: str = "The items this user chose, oldest first:"
    item_text: Literal["title", "text"] = "title"
    max_title_tokens: int = 16


@dataclass(frozen=True)
class Head:
    """The scoring head; ``TeacherSettings`` says what each does."""

    dim: int = 256
    dropout: float = 0.1
    free_items: bool = True
    residual: bool = False


@dataclass(frozen=True)
class Optimizer:
    """Learning rates; ``TrainingSettings`` says what each does."""

    lr: float = 1e-3
    router_lr: float = 3e-4
    head_lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0


@dataclass(frozen=True)
class Config(OnData):
    """Which teacher; conf/train_teacher.yaml says what each knob does and costs."""

    baseline_run: str = "latest"
    llm: str = "smollm2-135m"
    llm_layers: int = 4
    prompt: Prompt = "compact"
    mode: Literal["rank", "generate"] = "rank"
    adapter: AdapterKind = "ilora"
    lora_r: int = 8
    n_experts: int = 4
    target_modules: str = "all-linear"
    weights: Weights = "pretrained"
    train_backbone: bool = False
    precision: Precision = "auto"
    checkpointing: bool = False
    batch: int = 2048
    max_length: int = 0
    max_epochs: int = 4
    patience: int = 2
    windows: Literal["newest", "all"] = "newest"
    ema: float = 0.98
    matmul_precision: Literal["highest", "high", "medium"] = "high"
    report_seconds: float = 20.0
    lora: Lora = field(default_factory=Lora)
    text: Text = field(default_factory=Text)
    head: Head = field(default_factory=Head)
    generate: GenerateSettings = field(default_factory=GenerateSettings)
    optimizer: Optimizer = field(default_factory=Optimizer)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.adapter_settings()

    def adapter_settings(self) -> AdapterSettings:
        """Assemble the adapter from its main parameters and its options."""
        return AdapterSettings(
            kind=self.adapter,
            r=self.lora_r,
            n_experts=self.n_experts,
            alpha=self.lora.alpha,
            dropout=self.lora.dropout,
            target_modules=self.target_modules,
            router=self.lora.router,
        )

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
    """Fit on train, select on val, keep the teacher, evaluate it once on test."""
    logging.getLogger("recdistill").setLevel(logging.INFO)
    logging.basicConfig(format="%(message)s")
    data = config.prepared(run)
    baseline_run = run.find(config.baseline_run, "train_baseline", data=data)
    run.rename(f"{label(config)}-s{config.seed}-teacher")
    run.set_tags({"baseline_run_id": baseline_run.id, "model": label(config)})
    inputs = {
        "catalog": data.catalog.digest,
        "split": data.split_digest,
        "baseline": baseline_run.id,
    }
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    baseline = load_student(baseline_run.artifact("model"), data.catalog)
    with run.phase("load"):
        llm = find_llm(config)
        network = build(config, baseline, llm, data)
    run.set_tags({"llm.digest": llm.digest if llm else "none"})
    keep_audit(run, network)

    origin = Origin(baseline, llm, data.split_digest)
    if config.mode == "generate":
        write_titles(config, run, network, origin, data)
        return
    fit(config, run, network, data)
    teacher = TeacherRecommender(network, data.catalog.digest, origin)
    save_model(teacher, run.folder / "model")
    run.log_artifact(run.folder / "model", "model")

    test = log_evaluation(run, teacher, data)
    said = compare_with_baseline(run, test, baseline_run)
    summary = f"{sentence(run.name(), test)}. {said}"
    run.note(summary)
    print(summary)


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
    config: Config, baseline: StudentRecommender, llm: LLM | None, data: PreparedData
) -> TeacherNetwork:
    """Put the network together; equal seeds give equal weights."""
    torch.manual_seed(config.seed)
    settings = config.teacher_settings(baseline.model.max_length)
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


def fit(config: Config, run: Run, network: TeacherNetwork, data: PreparedData) -> None:
    """Train, and leave the best epoch's weights in the network."""

    def validate(model: TeacherRecommender) -> Mapping[str, float]:
        return evaluate(model, data.val, data.catalog, data.train).metrics()

    with run.phase("fit"):
        fitted = fit_teacher(
            network,
            data,
            config.training_settings(),
            validate=validate,
            log=run.log_metrics,
            checkpoints=Path(run.checkpoint_folder),
            seed=config.seed,
        )
    run.log_metrics(
        {
            "fit/best_epoch": fitted.best_epoch,
            "fit/n_steps": fitted.n_steps,
            "fit/n_pieces": fitted.n_parts,
        }
    )


def write_titles(
    config: Config, run: Run, network: TeacherNetwork, origin: Origin, data: PreparedData
) -> None:
    """Train and answer as the papers do: name the next item among twenty candidates."""
    if origin.llm is None:
        raise UserError("mode=generate needs a language model: adapter=head has none.")
    how = config.generate
    teacher = GenerativeTeacher(network, origin.llm.tokenizer, data.catalog, how.n_history)
    with run.phase("fit"):
        fit_generative(
            teacher, data, how, config.training_settings(), log=run.log_metrics, seed=config.seed
        )
    save_model(TeacherRecommender(network, data.catalog.digest, origin), run.folder / "model")
    run.log_artifact(run.folder / "model", "model")

    cases = data.test
    # Fixed whatever the model's seed, so that all runs answer the same questions.
    history = cases.history.tail(how.n_history)
    candidates = draw_candidates(
        history, cases.targets, data.catalog.n_items, n_candidates=how.n_candidates
    )
    with run.phase("evaluate"):
        answers = {
            "written": teacher.generate(history, candidates, cases.targets),
            "chosen": teacher.choose(history, candidates, cases.targets),
            "baseline": choose_by_scores(origin.baseline, cases, candidates),
        }
    rows = ["| | HR@1 of all | HR@1 of valid | valid | n |", "|---|---|---|---|---|"]
    for name, choices in answers.items():
        m = choices.metrics()
        run.log_metrics({f"test/{name}/{key}": value for key, value in m.items()})
        rows.append(
            f"| {name} | {m['hr_at_1_all']:.4f} [{m['hr_at_1_all_low']:.4f}, "
            f"{m['hr_at_1_all_high']:.4f}] | {m['hr_at_1_valid']:.4f} | "
            f"{m['valid_ratio']:.4f} | {m['n_cases']:.0f} |"
        )
    run.set_tags({"protocol": f"{how.n_candidates} candidates, seed 0, v1"})
    run.note("\n".join(rows))
    print("\n".join(rows))


def compare_with_baseline(run: Run, test: Evaluation, baseline_run: RunReference) -> str:
    """Log differences and p-values against the baseline's run, and say the first in words."""
    before = load_evaluation(baseline_run.artifact("evaluation")).per_user
    said = ""
    for metric in ("recall", "ndcg"):
        found = compare_paired([test.per_user], [before], metric=metric)
        run.log_metrics(
            {
                f"delta/{metric}_at_10_vs_baseline": found.delta,
                f"p/{metric}_at_10_vs_baseline": found.p,
            }
        )
        if not said:
            said = (
                f"Against {baseline_run.name}: {found.delta:+.4f} recall@10 "
                f"[{found.low:+.4f}, {found.high:+.4f}], p = {found.p:.3f}"
            )
    return said


if __name__ == "__main__":
    stage(run, Config, "train_teacher")
