"""What a stage does with the model it ends with: ranks, metrics, the shift of new items."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from recdistill import evaluation as evaluations
from recdistill.data import as_read_by, training_counts

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import Evaluation, Recommender
    from recdistill.runs import Run
    from recdistill.students import StudentRecommender

_LEAST_CASES = 30
"""Fewer validation cases of a kind teach no shift."""


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
        Log ``Evaluation.main_metrics`` only, and no picture. The table is whole either way.

    Returns
    -------
    Evaluation
        That of the test part.
    """
    data = as_read_by(model, data)
    with run.phase("evaluate"):
        val, test = (
            evaluations.evaluate(model, cases, data.catalog, data.train, batch_size=batch_size)
            for cases in (data.val, data.test)
        )
    for part, evaluation in (("val", val), ("test", test)):
        metrics = evaluation.main_metrics() if brief else evaluation.metrics()
        named = {f"{part}/{name}": value for name, value in metrics.items()}
        run.log_metrics(named, step=step)
    query_time = str(getattr(model, "query_time", "none"))
    run.set_tags({"protocol": test.per_user.attrs["protocol"], "query_time": query_time})
    evaluations.write_evaluation(test, run.folder / "evaluation", picture=not brief)
    run.log_artifact(run.folder / "evaluation", "evaluation")
    return test


def learn_new_item_shift(
    run: Run, model: StudentRecommender, data: PreparedData
) -> StudentRecommender:
    """Learn from validation how items that training never met rank fairly among the others.

    Where a student has texts, and enough validation targets are of either kind, as with
    split=cold_items. The student that is returned keeps the shift for serving; its own scores stay.
    """
    data = as_read_by(model, data)
    new = training_counts(data.train, data.catalog.n_items) == 0
    new[0] = False
    kinds = new[data.val.targets]
    if model.text is None or min(kinds.sum(), (~kinds).sum()) < _LEAST_CASES:
        return model
    with run.phase("new_items"):
        found = evaluations.calibrate_new_items(model, data.val, new)
    chosen = found.chosen
    run.log_metrics(
        {
            "new_items/shift": chosen.shift,
            "new_items/val_ndcg_at_10": chosen.new,
            "new_items/val_ndcg_at_10_among_themselves": found.new_alone,
            "new_items/known_val_ndcg_at_10": chosen.known,
            "new_items/known_val_ndcg_at_10_alone": found.known_alone,
        }
    )
    return replace(model, text=replace(model.text, shift=chosen.shift))


def result_sentence(name: str, test: Evaluation) -> str:
    """Say a test result with its count and interval."""
    m = test.metrics()
    cases = "users" if test.per_user["user"].is_unique else "cases"
    return (
        f"{name}: test recall@10 {m['recall_at_10']:.4f} "
        f"[{m['recall_at_10_low']:.4f}, {m['recall_at_10_high']:.4f}] "
        f"({m['hits_at_10']:.0f} of {m['n_users']:.0f} {cases}), NDCG@10 {m['ndcg_at_10']:.4f}"
    )
