"""Score a finished model again, over all users and the full catalog, into a run of its own.

mlflow run . --env-manager local -e evaluate -P model_run=latest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill import lessons, results, saved_models
from recdistill.config import main_fields
from recdistill.data import OnData, prepare_for
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.runs import Run


@main_fields("model_run")
@dataclass(frozen=True)
class Config(OnData):
    """Which model, on which data."""

    model_run: str = "latest"
    batch_size: int = 512


def run(config: Config, run: Run) -> None:
    """Rank every user's validation and test target among the whole catalog."""
    data = prepare_for(config)
    run.log_data(data)
    model_run = run.find(config.model_run, *lessons.MODEL_STAGES, data=data)
    run.rename(model_run.name, "again")
    run.set_tags({"model_run_id": model_run.id})
    inputs = data.inputs() | {"model": model_run.id}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    folder = model_run.artifact("model")
    model = saved_models.load_recommender(folder, data.catalog, with_times=True)
    test = results.log_evaluation(run, model, data, batch_size=config.batch_size)
    logged = model_run.metrics.get("test/recall_at_10", float("nan"))
    summary = f"{results.result_sentence(model_run.name, test)}; its own stage logged {logged:.4f}"
    run.note(summary)
    print(summary)


if __name__ == "__main__":
    stage(run, Config, "evaluate")
