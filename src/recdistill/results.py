"""How a stage that ends with a model reports it: ranks and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill import evaluation as evaluations

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import Evaluation, Recommender
    from recdistill.runs import Run


def log_evaluation(
    run: Run,
    model: Recommender,
    data: PreparedData,
    *,
    step: int = 0,
    batch_size: int = 512,
    brief: bool = False,
) -> Evaluation:
    """Rank every user's validation and test target; log metrics and the per-user table.

    Parameters
    ----------
    brief : bool
        Log ``Evaluation.main_metrics`` only. The table is whole either way.

    Returns
    -------
    Evaluation
        That of the test part.
    """
    with run.phase("evaluate"):
        val, test = (
            evaluations.evaluate(model, cases, data.catalog, data.train, batch_size=batch_size)
            for cases in (data.val, data.test)
        )
    for part, evaluation in (("val", val), ("test", test)):
        metrics = evaluation.main_metrics() if brief else evaluation.metrics()
        named = {f"{part}/{name}": value for name, value in metrics.items()}
        run.log_metrics(named, step=step)
    run.set_tags({"protocol": test.per_user.attrs["protocol"]})
    evaluations.write_evaluation(test, run.folder / "evaluation")
    run.log_artifact(run.folder / "evaluation", "evaluation")
    return test


def result_sentence(name: str, test: Evaluation) -> str:
    """Say a test result with its count and interval."""
    m = test.metrics()
    return (
        f"{name}: test recall@10 {m['recall_at_10']:.4f} "
        f"[{m['recall_at_10_low']:.4f}, {m['recall_at_10_high']:.4f}] "
        f"({m['hits_at_10']:.0f} of {m['n_users']:.0f} users), NDCG@10 {m['ndcg_at_10']:.4f}"
    )
