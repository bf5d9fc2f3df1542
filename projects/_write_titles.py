"""Generate mode, as in the papers: name the next item among twenty candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.errors import UserError
from recdistill.teachers import (
    GenerativeTeacher,
    TeacherRecommender,
    choose_by_scores,
    draw_candidates,
    fit_generative,
    save_model,
)

if TYPE_CHECKING:
    from projects._plan_training import PlannedTraining
    from recdistill.data import PreparedData
    from recdistill.runs import Run
    from recdistill.teachers import Origin, TeacherNetwork


def write_titles(
    planned: PlannedTraining,
    run: Run,
    network: TeacherNetwork,
    origin: Origin,
    data: PreparedData,
    seed: int,
) -> None:
    """Train to write titles, keep the teacher, answer every test case, report HR@1."""
    if origin.llm is None:
        raise UserError("mode=generate needs a language model: adapter=head has none.")
    how = planned.generate
    if planned.training.checkpointing:
        network.enable_checkpointing()
    teacher = GenerativeTeacher(network, origin.llm.tokenizer, data.catalog, how.n_history)
    with run.phase("fit"):
        fit_generative(teacher, data, how, planned.training, log=run.log_metrics, seed=seed)
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
