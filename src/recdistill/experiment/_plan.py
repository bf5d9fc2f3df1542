"""What will be done, and how long it takes where that was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.config import home
from recdistill.runs import Plan, PlannedStep, step_costs

if TYPE_CHECKING:
    from recdistill.experiment._settings import ExperimentSettings

# What the steps took where they were measured, by preset and data set.
MEASURED = {
    ("quick", "ml-100k"): "demo.json",
    ("full", "ml-100k"): "full-ml-100k.json",
    ("full", "amazon-beauty"): "full-amazon-beauty.json",
}


def plan(asked: ExperimentSettings) -> Plan:
    """List the steps in their order."""
    n = asked.n_seeds
    steps = [PlannedStep("data", f"prepare {asked.dataset}")]
    if asked.reads_texts():
        steps.append(PlannedStep("texts", f"read the items' texts, {asked.encoder}"))
    if asked.counted():
        steps.append(PlannedStep("floors", f"count the floors {', '.join(asked.counted())}"))
    steps.append(PlannedStep("baseline", f"train the baseline, {asked.model}", n))
    if asked.beside:
        named = ", ".join(asked.beside)
        steps.append(PlannedStep("beside", f"train beside it {named}", n * len(asked.beside)))
    n_pools = len(asked.pool_seeds())
    if networks := asked.networks():
        steps.append(
            PlannedStep("network", f"train {', '.join(networks)}", n_pools * len(networks))
        )
    if asked.with_teacher:
        steps.append(PlannedStep("teacher", "adapt a language model"))
    if asked.with_students:
        steps += _of_students(asked, n_pools)
    steps.append(PlannedStep("comparison", "compare all of them"))
    measured = asked.of_data() == {"dataset": asked.dataset, "preset": asked.preset}
    record = MEASURED.get((asked.preset, asked.dataset)) if measured else None
    costs = step_costs(home() / "docs" / "assets" / record) if record else None
    return Plan(steps, asked.at_once, costs)


def _of_students(asked: ExperimentSettings, n_pools: int) -> list[PlannedStep]:
    teachers = [asked.model, *asked.teaching] if asked.pools == "one" else asked.teaching[:]
    teachers += ["the language model"] if asked.with_teacher and asked.teacher_teaches else []
    together = f"ask {', '.join(teachers)} together about views of histories"
    steps = [
        PlannedStep("transfer", together, n_pools),
        PlannedStep("student", "train the student on what they say", asked.n_seeds),
    ]
    if asked.controls:
        told = f"train the student without that: {', '.join(asked.controls)}"
        steps.append(PlannedStep("control", told, asked.n_seeds * len(asked.controls)))
    return steps
