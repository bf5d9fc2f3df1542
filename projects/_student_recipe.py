"""How a distilled student is trained: like its baseline, but for what distilling asks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from projects import train_baseline
from recdistill.config import parse
from recdistill.errors import UserError
from recdistill.students import STUDENT_KINDS

if TYPE_CHECKING:
    from projects import distill
    from recdistill.data import PreparedData
    from recdistill.lessons import TransferSet
    from recdistill.runs import RunReference
    from recdistill.students import StudentKind
    from recdistill.training import StudentRecipe

# What a negative number (or 0) leaves open, and the run says in the end.
RESOLVED = ("dropout", "label_smoothing", "loss_weight", "max_epochs", "lr")


def resolved(
    config: distill.Config,
    training: train_baseline.Config,
    transfer: TransferSet | None,
    data: PreparedData,
) -> distill.Config:
    """Fill in what was left to the baseline or to what suits a transfer set.

    Views and lists regularise more than dropout and smoothed labels do, which then only hinder; and
    a student that is to match its teachers everywhere takes longer: ``effort`` times the baseline's
    targets.
    """
    baseline = training.recipe(cast("StudentKind", training.model))
    dropout, smoothing = baseline.architecture.dropout, baseline.loss.label_smoothing
    loss_weight, max_epochs = 1.0, training.max_epochs
    if transfer:
        dropout, smoothing, loss_weight = 0.0, 0.0, 0.3
        share = len(data.train.items) / max(len(transfer.sequences.items), 1)
        max_epochs = max(1, round(config.effort * max_epochs * share))
    return replace(
        config,
        dropout=config.dropout if config.dropout >= 0 else dropout,
        label_smoothing=config.label_smoothing if config.label_smoothing >= 0 else smoothing,
        loss_weight=config.loss_weight if config.loss_weight >= 0 else loss_weight,
        max_epochs=config.max_epochs or max_epochs,
        lr=config.lr or training.optimizer.lr,
    )


def like_baseline(config: distill.Config, training: train_baseline.Config) -> StudentRecipe:
    """Take the baseline's settings where a resolved config has none of its own."""
    optimizer = replace(training.optimizer, lr=config.lr)
    training = replace(training, max_epochs=config.max_epochs, optimizer=optimizer)
    recipe = training.recipe(cast("StudentKind", training.model))
    return replace(
        recipe,
        architecture=replace(recipe.architecture, dropout=config.dropout),
        loss=replace(recipe.loss, label_smoothing=config.label_smoothing),
    )


def baseline_settings(baseline: RunReference) -> train_baseline.Config:
    """Read back how the baseline was trained."""
    file = baseline.artifact("config.yaml")
    training = parse(train_baseline.Config, "train_baseline", ["--config", str(file)])
    if training.model not in STUDENT_KINDS:
        raise UserError(
            f"Run {baseline.name} is a {training.model}, which cannot be a student; name a run of "
            f"{' or '.join(STUDENT_KINDS)} in baseline_run."
        )
    return training
