"""One training that validation judges: its settings are chosen by this, and test data is not read.

Started by audit_language, below itself; a sweep's trials are the same in the study's own workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from projects import train_baseline
from recdistill import text_runs, training
from recdistill.data import prepare_for
from recdistill.runs import stage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recdistill.data import PreparedData
    from recdistill.runs import Run


@dataclass(frozen=True)
class Config(train_baseline.Config):
    """The settings of a baseline."""


def run(config: Config, run: Run) -> None:
    """Train and log what validation says."""
    train(config, run, prepare_for(config))


def train(
    config: Config,
    run: Run,
    data: PreparedData,
    *,
    each_epoch: Callable[[Mapping[str, float], int], None] | None = None,
) -> float:
    """Train, or find it trained, and return validation's NDCG@10; nothing is kept of the model.

    ``each_epoch`` receives every epoch's figures as well.
    """
    run.log_data(data)
    run.rename(config.model, f"s{config.seed}-trial")
    texts = text_runs.find_texts(config.text_run, config.student.item, run, data)
    run.set_tags({"model": config.model} | texts.tags())
    inputs = data.inputs() | texts.inputs()
    if run.already_done(inputs, use_cache=config.use_cache) and run.reused:
        return run.reused.metrics["best/val/ndcg_at_10"]

    def log(metrics: Mapping[str, float], epoch: int) -> None:
        run.log_metrics(metrics, epoch)
        if each_epoch:
            each_epoch(metrics, epoch)

    with run.phase("fit"):
        fitted = training.fit_student(
            config.recipe(train_baseline.student_kind(config)),
            data,
            seed=config.seed,
            vectors=texts.vectors(data),
            log=log,
            checkpoint_folder=run.checkpoint_folder,
        )
    best = fitted.result.best
    run.log_metrics(
        fitted.metrics()
        | {f"best/{name}": value for name, value in best.items() if name.startswith("val/")}
    )
    return best["val/ndcg_at_10"]


if __name__ == "__main__":
    stage(run, Config, "trial")
