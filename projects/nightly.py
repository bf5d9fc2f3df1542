"""One night: take in the days that came, let the champion learn them, and let it be challenged.

mlflow run . --env-manager local -e nightly -P config=nightly.yaml
recdistill nightly --dataset=shop --inbox=days
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from recdistill import runs, serving
from recdistill.config import main_fields
from recdistill.data import load_prepared
from recdistill.errors import UserError
from recdistill.inbox import Inbox
from recdistill.object_store import check_paths
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import Run, RunReference
    from recdistill.serving import Registry

DATA = Path("data")
# By the section of settings: the stage that it is for, and what the night itself says to it.
OF_STAGES = {
    "preparing": ("prepare_data", ("dataset", "data_path", "extends")),
    "training": ("train_baseline", ("prepared", "seed")),
    "updating": ("update", ("prepared", "seed", "champion_run", "full")),
    "promoting": ("promote", ("model_run", "prepared", "name")),
    "watching": ("watch", ("name", "log")),
}


@main_fields("dataset", "inbox", "name", "full_every", "log")
@dataclass(frozen=True)
class Config:
    """Where the days lie, and what differs from the stages' own settings."""

    dataset: str = "shop"
    inbox: str = "days"
    name: str = ""
    full_every: int = 7
    log: str = ""
    seed: int = 0
    preparing: dict[str, str] = field(default_factory=dict)
    training: dict[str, str] = field(default_factory=dict)
    updating: dict[str, str] = field(default_factory=dict)
    promoting: dict[str, str] = field(default_factory=dict)
    watching: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.full_every < 0:
            raise UserError(f"full_every is {self.full_every}; it must be at least 0 (never).")
        check_paths({"inbox": self.inbox})
        for section, (name, said) in OF_STAGES.items():
            self._require_section(section, name, said)

    def _require_section(self, section: str, name: str, said: tuple[str, ...]) -> None:
        """Refuse now what the stage would refuse in the night."""
        given = getattr(self, section)
        if twice := [setting for setting in said if setting in given]:
            raise UserError(
                f"{section} sets {' and '.join(twice)}, which the night itself says to {name}: "
                f"leave {'it' if len(twice) == 1 else 'them'} out of {section}."
            )
        if given:
            later = {"extends": "the day before"} if section == "preparing" else {}
            runs.require_settings(name, given | later, section)

    def model(self) -> str:
        """Return the name of the registered model."""
        return self.name or f"recdistill-{self.dataset}"


def run(config: Config, run: Run) -> None:
    """Do what is left to do of the night; whoever comes second leaves it to the first."""
    run.rename(config.dataset, "nightly")
    DATA.mkdir(exist_ok=True)
    lock = FileLock(DATA / f".{config.dataset}.nightly.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(run, "Another night is at work on this data; it is left to that one.")
        return
    try:
        night(config, run)
    finally:
        lock.release()


def night(config: Config, run: Run) -> None:
    """Take in, watch, learn, challenge: every step is found done when it is started again."""
    folders = take_in(config, run)
    data = load_prepared(folders[-1])
    run.log_data(data)
    registry = serving.Registry(run.client, config.model())
    drifted = watched(config, run, registry)
    if registry.has_settled(data.split_digest):
        said = f"Nothing new: {data.folder} was judged before."
    else:
        student = learn(config, run, registry, data, n_nights=len(folders))
        said = challenge(config, run, registry, data, student)
    say(run, " ".join(filter(None, [said, drifted])))
    if drifted:
        raise UserError(drifted)


def take_in(config: Config, run: Run) -> list[Path]:
    """Prepare the days that came, each on top of those before it; return all days' folders."""

    def prepare(file: str, extends: Path | None) -> Path:
        before = {"extends": str(extends)} if extends else {}
        asked = {"dataset": config.dataset, "data_path": file, **before}
        made = runs.run_stage("prepare_data", parent=run.id, **asked, **config.preparing)
        return DATA / made.tags["data.folder"]

    return Inbox(config.inbox, DATA / f".{config.dataset}.nightly.json").take_in(prepare)


def learn(
    config: Config, run: Run, registry: Registry, data: PreparedData, *, n_nights: int
) -> RunReference:
    """Let the champion go on, or be trained anew every so many nights; the first is trained."""
    shared = {"prepared": str(data.folder), "seed": str(config.seed)}
    champion = registry.holder(serving.CHAMPION)
    if champion is None:
        return runs.run_stage("train_baseline", parent=run.id, **shared, **config.training)
    full = bool(config.full_every) and n_nights % config.full_every == 0
    asked = {"champion_run": champion.tags["model_run_id"], "full": str(full).lower()}
    return runs.run_stage("update", parent=run.id, **shared, **asked, **config.updating)


def challenge(
    config: Config, run: Run, registry: Registry, data: PreparedData, student: RunReference
) -> str:
    """Let the student challenge the champion; losing is a result and no failure."""
    asked = {"model_run": student.id, "prepared": str(data.folder), "name": config.model()}
    try:
        runs.run_stage("promote", parent=run.id, **asked, **config.promoting)
    except UserError:
        judged = registry.judged_on(data.split_digest)
        if judged is None or judged.tags["challenge"] != "not passed":
            raise
        return f"The champion stays. {judged.tags['challenge.words']}"
    return f"{student.name} serves. {registry.champion().tags['challenge.words']}"


def watched(config: Config, run: Run, registry: Registry) -> str:
    """Watch the day's requests, where they are logged; return the sentence of a drift."""
    if not config.log or registry.holder(serving.CHAMPION) is None:
        return ""
    asked: dict[str, Any] = {"name": config.model(), "log": config.log, **config.watching}
    try:
        runs.run_stage("watch", parent=run.id, **asked)
    except UserError as drifted:
        return str(drifted)
    return ""


def say(run: Run, words: str) -> None:
    """Put it on the run's page and on the terminal."""
    run.note(words)
    print(words, flush=True)


if __name__ == "__main__":
    stage(run, Config, "nightly")
