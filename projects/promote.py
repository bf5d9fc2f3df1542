"""Register a student as the model that serves, unless the present one is better.

mlflow run . --env-manager local -e promote -P model_run=latest
mlflow models serve --env-manager local -m models:/recdistill-ml-100k@champion
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill import evaluation, serving
from recdistill.config import main_fields
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError
from recdistill.evaluation import Metric  # noqa: TC001 - read by the parser
from recdistill.runs import model_url, stage, ui_base

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import PairedTest
    from recdistill.runs import Run, RunReference
    from recdistill.serving import Holder

K = 10
TAGGED = ("test/recall_at_10", "test/ndcg_at_10", "test/n_users", "val/ndcg_at_10")


@main_fields("model_run", "name", "alias", "metric", "force")
@dataclass(frozen=True)
class Config(OnData):
    """Which student, under which name, judged by what."""

    model_run: str = "latest"
    name: str = ""
    alias: str = "champion"
    metric: Metric = "ndcg"
    force: bool = False


def run(config: Config, run: Run) -> None:
    """Find the student, hold it against the present holder of the alias, register it."""
    data = prepare_for(config)
    run.log_data(data)
    stages = ("distill",) if config.model_run == "latest" else ("distill", "train_baseline")
    student_run = run.find(config.model_run, *stages, data=data)
    name = config.name or f"recdistill-{data.dataset}"
    run.rename(student_run.name, config.alias)
    run.set_tags({"model_run_id": student_run.id})

    holder = None if config.force else serving.holder_of(run.client, name, config.alias)
    judged = f"There was no {config.alias} before."
    if config.force:
        judged = f"Not compared with the {config.alias} before: force=true."
    elif holder:
        judged = judge(config, student_run, holder, f"{name}@{config.alias}", run)

    student = serving.gather_student(
        student_run.artifact("model"), data.folder / "catalog.csv", run.folder / "student"
    )
    tags = version_tags(student_run, data)
    import mlflow

    with mlflow.start_run(run_id=run.id, log_system_metrics=False), run.phase("package"):
        address = serving.log_served_model(student, run.folder, tags=tags)
    version = serving.register(name, config.alias, address, tags)
    run.set_tags({"registered": f"{name} version {version}"})
    describe(run, name, config.alias, version, student_run, judged)


def judge(config: Config, student: RunReference, holder: Holder, who: str, run: Run) -> str:
    """Say how the student does against the holder on the same test users; refuse a worse one."""
    if holder.run.id == student.id:
        return f"It was {who} already (version {holder.version})."
    splits = [one.tags.get("split.digest", "unknown") for one in (student, holder.run)]
    if splits[0] != splits[1]:
        raise UserError(
            f"{who} (version {holder.version}) was tested on another split ({splits[1][:12]}, this "
            f"is {splits[0][:12]}), so they cannot be compared. Replace it unseen with force=true."
        )
    test = against(student, holder.run, config.metric)
    compared = f"{config.metric}_at_{K}_vs_{config.alias}"
    run.log_metrics({f"delta/{compared}": test.delta, f"p/{compared}": test.p})
    numbers = (
        f"{config.metric}@{K} {test.value_a:.4f} against {test.value_b:.4f} of {holder.run.name} "
        f"({who}, version {holder.version}), difference {test.delta:+.4f} "
        f"[{test.low:+.4f}, {test.high:+.4f}], p = {test.p:.3g}, on the same {test.n_users} users"
    )
    if test.delta < 0:
        raise UserError(
            f"{student.name} is worse than what serves: {numbers}. Replace it all the same with "
            "force=true, or register it beside it with alias=challenger."
        )
    return f"Held against what served before: {numbers}."


def against(student: RunReference, other: RunReference, metric: Metric) -> PairedTest:
    """Compare the per-user tables of two runs; other data or protocol is refused there."""
    import pandas as pd

    one, two = (
        pd.read_parquet(run.artifact("evaluation") / "per_user.parquet") for run in (student, other)
    )
    return evaluation.compare_paired([one], [two], metric=metric, k=K)


def version_tags(student: RunReference, data: PreparedData) -> dict[str, str]:
    """Return what must be readable on the registered version itself."""
    tags = {
        "model_run_id": student.id,
        "model_run": student.name,
        "stage": student.stage,
        "dataset": data.dataset,
        "split": student.tags.get("split", ""),
        "protocol": student.tags.get("protocol", ""),
        "catalog.digest": data.catalog.digest,
        "split.digest": data.split_digest,
    }
    return tags | {key: f"{student.metrics[key]:.6g}" for key in TAGGED if key in student.metrics}


def describe(
    run: Run, name: str, alias: str, version: int, student: RunReference, judged: str
) -> None:
    """Write the run's and the version's card, and say how to serve it."""
    address = f"models:/{name}@{alias}"
    serve = f"mlflow models serve --env-manager local -m {address} --port 5100"
    card = (
        f"**{address}** is now version {version}: student `{student.name}` (run {student.id}).\n\n"
        f"{judged}\n\n```\n{serve}\n```"
    )
    run.note(card)
    run.client.update_model_version(name, str(version), card)
    page = model_url(ui_base(run.client.tracking_uri), name, version)
    print(f"{address} is version {version}, {student.name}. {judged}\n{page}\nServe it: {serve}")


if __name__ == "__main__":
    stage(run, Config, "promote")
