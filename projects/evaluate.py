"""Score a finished model again, over all users and the full catalog, into a run of its own.

mlflow run . --env-manager local -e evaluate -P model_run=latest
"""

from __future__ import annotations

from dataclasses import dataclass

from projects._on_data import OnData
from recdistill.evaluation import evaluate, write_evaluation
from recdistill.serving import load_recommender
from recdistill.tracking import Run, stage

MODEL_STAGES = ("train_baseline", "train_teacher", "distill")


@dataclass(frozen=True)
class Config(OnData):
    """Which model, on which data."""

    model_run: str = "latest"
    batch_size: int = 512


def run(config: Config, run: Run) -> None:
    """Rank every user's validation and test target among the whole catalog."""
    data = config.prepared(run)
    model_run = run.find(config.model_run, *MODEL_STAGES, data=data)
    run.rename(f"{model_run.name}-again")
    run.set_tags({"model_run_id": model_run.id})
    if run.already_done(
        {"split": data.split_digest, "model": model_run.id}, use_cache=config.use_cache
    ):
        return

    model = load_recommender(model_run.artifact("model"), data.catalog)
    with run.phase("evaluate"):
        evaluations = {
            part: evaluate(model, cases, data.catalog, data.train, batch_size=config.batch_size)
            for part, cases in (("val", data.val), ("test", data.test))
        }
    for part, evaluation in evaluations.items():
        run.log_metrics({f"{part}/{name}": value for name, value in evaluation.metrics().items()})
    run.set_tags({"protocol": evaluations["test"].per_user.attrs["protocol"]})
    write_evaluation(evaluations["test"], run.folder / "evaluation")
    run.log_artifact(run.folder / "evaluation", "evaluation")

    test = evaluations["test"].metrics()
    before = model_run.metrics.get("test/recall_at_10")
    print(
        f"{model_run.name}: recall@10 {test['recall_at_10']:.4f} "
        f"({test['hits_at_10']:.0f} of {test['n_users']:.0f} users), "
        f"NDCG@10 {test['ndcg_at_10']:.4f}; logged by its own stage: {before}"
    )


if __name__ == "__main__":
    stage(run, Config, "evaluate")
