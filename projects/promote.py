"""Let a student challenge the one that serves, and replace it when it is not worse.

mlflow run . --env-manager local -e promote -P model_run=latest
mlflow run . --env-manager local -e promote -P rollback=true
mlflow models serve --env-manager local -m models:/recdistill-ml-100k@champion
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

from recdistill import data_runs, serving
from recdistill.config import main_fields
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError
from recdistill.object_store import check_paths
from recdistill.runs import model_url, stage, ui_base
from recdistill.serving import CHAMPION, ChallengeRules

if TYPE_CHECKING:
    from recdistill.runs import Run
    from recdistill.serving import Package, Registry, Verdict, Version


@main_fields(
    "model_run",
    "prepared",
    "name",
    "alias",
    "new_items",
    "metric",
    "margin",
    "force",
    "reason",
    "rollback",
)
@dataclass(frozen=True)
class Config(ChallengeRules, OnData):
    """Which student, under which name, by which rules; conf/promote.yaml says what each means."""

    model_run: str = "latest"
    name: str = ""
    alias: Literal["champion", "challenger"] = "champion"
    force: bool = False
    reason: str = ""
    rollback: bool = False
    new_items: str = ""

    def __post_init__(self) -> None:
        ChallengeRules.__post_init__(self)
        OnData.__post_init__(self)
        check_paths({"new_items": self.new_items})
        if self.force and not self.reason.strip():
            raise UserError(
                "force=true replaces the champion whatever the comparison says: give a reason, "
                'which is kept with the version, as in reason="the champion sells what is gone".'
            )

    def rules(self) -> ChallengeRules:
        """Pick what decides a challenge."""
        return ChallengeRules(**{f.name: getattr(self, f.name) for f in fields(ChallengeRules)})


def run(config: Config, run: Run) -> None:
    """Find the student, let it challenge the champion, register it, seat it when it won."""
    if config.rollback:
        name = config.name or f"recdistill-{config.dataset}"
        roll_back(config, run, serving.Registry(run.client, name))
        return
    data = prepare_for(replace(config, prepared=data_runs.folder_of(config.prepared, run)))
    run.log_data(data)
    registry = serving.Registry(run.client, config.name or f"recdistill-{data.dataset}")
    student_run = serving.find_student(config.model_run, run, data)
    run.rename(student_run.name, config.alias)
    run.set_tags({"model_run_id": student_run.id})
    package = serving.package_student(
        student_run, data, run, new_items=config.new_items, config=config
    )
    run.log_metrics({"new_items/n_served": package.n_new})
    tags = serving.version_tags(student_run, package)
    made, champion = registry.same(tags), registry.holder(CHAMPION)
    if made and champion and made.number == champion.number:
        said = f"{student_run.name} is {registry.name}@{CHAMPION} already (version {made.number})."
        serving.write_story(registry)  # whoever seated it may have been killed before
        run.note(said)
        print(said)
        return
    with run.phase("challenge"):
        decision = serving.decide(
            registry, package, made, config.rules(), reason=config.reason * config.force
        )
    if decision.verdict:
        log_verdict(decision.verdict, config, run)
    version = made or register(registry, package, tags, run)
    card = serving.settle(registry, version, decision, config.alias)
    run.set_tags({"registered": version.address, "challenge": decision.outcome})
    run.note(card)
    if not decision.wins:
        raise UserError(
            f"{student_run.name} (version {version.number}, now the challenger) does not replace "
            f"{registry.name}@{CHAMPION}. {decision.words} Replace the champion all the same with "
            "force=true and a reason."
        )
    say(registry, version, decision.words, config.alias)


def roll_back(config: Config, run: Run, registry: Registry) -> None:
    """Let the version serve again that the champion replaced."""
    restored, removed = registry.roll_back(config.reason)
    serving.write_story(registry)
    run.rename(f"v{removed.number}-to-v{restored.number}", "rollback")
    run.set_tags({"registered": restored.address})
    said = f"Version {removed.number} was rolled back."
    run.note(said)
    say(registry, restored, said, CHAMPION)


def log_verdict(verdict: Verdict, config: Config, run: Run) -> None:
    """Keep the table for readers and the checks for programs."""
    if test := verdict.checks[0].test:
        run.log_metrics({f"delta/{config.metric}_at_10_vs_{CHAMPION}": test.delta})
    run.log_text(verdict.table() + "\n", "challenge/table.md")
    run.log_dict([check.plain() for check in verdict.checks], "challenge/checks.json")


def register(registry: Registry, package: Package, tags: dict[str, str], run: Run) -> Version:
    """Package the student and what it expects, have MLflow try it out, make it a version."""
    import mlflow

    serving.write_reference(package.student, package.data)
    with mlflow.start_run(run_id=run.id, log_system_metrics=False), run.phase("package"):
        address = serving.log_served_model(package.student, run.folder, tags=tags)
    return registry.register(address, tags)


def say(registry: Registry, version: Version, words: str, alias: str) -> None:
    """Print who serves, where that is seen, and how to start it."""
    address = f"models:/{registry.name}@{alias}"
    page = model_url(ui_base(registry.client.tracking_uri), registry.name, version.number)
    print(
        f"{address} is version {version.number}, {version.tags.get('model_run', '')}. {words}\n"
        f"{page}\nServe it: mlflow models serve --env-manager local -m {address} --port 5100"
    )


if __name__ == "__main__":
    stage(run, Config, "promote")
