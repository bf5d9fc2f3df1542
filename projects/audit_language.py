"""Answer "what does language add on my data?": one student without texts, with them, with controls.

mlflow run . --env-manager local -e audit_language -P dataset=amazon-beauty
mlflow run . --env-manager local -e audit_language -P encoders=[all-minilm-l6-v2,smollm2-135m]
mlflow run . --env-manager local -e audit_language -P teacher_run=latest -P baseline_run=latest
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from projects import train_baseline
from recdistill import audit, reporting, training
from recdistill.audit import Grid
from recdistill.config import changed_part, main_fields, parse
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError, require_least
from recdistill.runs import metric_word, stage
from recdistill.texts import Encoding

if TYPE_CHECKING:
    from recdistill.audit import LanguageAudit
    from recdistill.data import PreparedData
    from recdistill.runs import Run


@main_fields("encoders", "teacher_run", "baseline_run", "n_seeds", "n_draws")
@dataclass(frozen=True)
class Config(OnData):
    """Which language models, on which recipe; conf/audit_language.yaml says what it costs."""

    encoders: list[str] = field(default_factory=lambda: ["all-minilm-l6-v2"])
    teacher_run: str = ""
    baseline_run: str = ""
    n_seeds: int = 3
    n_draws: int = 3
    grid: Grid = field(default_factory=Grid)
    encoding: Encoding = field(default_factory=Encoding)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_seeds < 2:
            raise UserError(
                f"n_seeds is {self.n_seeds}: how far trainings lie apart takes at least 2 to know."
            )
        require_least("n_draws", self.n_draws, 1)


def run(config: Config, run: Run) -> None:
    """Plan, choose each arm's setting on validation, train it, test the differences."""
    data = prepare_for(config)
    run.log_data(data)
    asked = changed_part(config, OnData, ("dataset", "preset", "seed"))
    recipe = audited_recipe(config, asked, run, data)
    run.rename(recipe.model, f"{config.dataset[:16]}-audit")
    plan = audit.AuditPlan(
        arms=audit.arms_of(config.encoders, teachers(config, run, data)),
        grid=config.grid,
        own=recipe.student,
        n_seeds=config.n_seeds,
        n_draws=config.n_draws,
    )
    say(f"{data.dataset}, {recipe.model}\n{plan.words()}")

    trainer = audit.ArmTrainer(run, data, recipe, plan, config.encoding, asked, say)
    # All choices first: with the first training after them the test part is open.
    chosen = {arm: trainer.choose(arm) for arm in plan.arms}
    results = [trainer.train(arm, setting) for arm, setting in chosen.items()]

    met = reporting.find_scored_run(run.client, results[0].run_ids[0])
    about = {"dataset": data.dataset, "model": recipe.model, "preset": config.preset}
    n_looks = reporting.read_history(run.client, met).n_looks
    tell(run, audit.measure(results, about, n_looks=n_looks))


def audited_recipe(
    config: Config, asked: dict[str, object], run: Run, data: PreparedData
) -> train_baseline.Config:
    """Return the named baseline's settings, or train_baseline's own for this data."""
    if config.baseline_run:
        baseline = training.find_baseline(config.baseline_run, run, data)
        recipe: train_baseline.Config = training.baseline_settings(baseline, asked)
        return recipe
    return parse(train_baseline.Config, "train_baseline", [], asked)


def teachers(config: Config, run: Run, data: PreparedData) -> dict[str, tuple[str, str]]:
    """Find the teachers that are asked for: run id and kind of weights, by name."""
    named = [word.strip() for word in config.teacher_run.split(",") if word.strip()]
    found = [run.find(name, "train_teacher", data=data) for name in named]
    return {one.name: (one.id, one.params.get("config.weights", "")) for one in found}


def say(words: str) -> None:
    """Print how far the audit is."""
    print(f"audit_language: {words}", flush=True)


def tell(run: Run, found: LanguageAudit) -> None:
    """Keep the findings as metrics, files, page and words."""
    for one in found.differences:
        name = metric_word(f"{one.of} vs {one.against}")
        run.log_metrics({f"audit/ndcg_at_10/{name}": one.delta, f"audit/p/{name}": one.p_adjusted})
    run.log_metrics({"looks_at_this_test_part": found.n_looks})
    run.log_dict(found.to_dict(), "audit.json")
    run.log_text(reporting.language_csv(found), "audit.csv")
    run.log_text(reporting.render_language_audit(found, run.id), "report.html")
    text = reporting.language_markdown(found)
    run.note(text)
    print(text)


if __name__ == "__main__":
    stage(run, Config, "audit_language")
