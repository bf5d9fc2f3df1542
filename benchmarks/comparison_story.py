"""What `compare` says of this repository's own models: the outputs shown in the guide.

    python -m benchmarks.comparison_story [FOLDER]

Nothing is trained: the committed per-user tables of ML-100K (benchmarks/results/baselines, and
benchmarks/results/before-rotary for SASRec and its students) are written into tracking stores as
the runs they came from, one store for each chapter, and compared there as the stage does it. What
it prints goes into the guide; the reports lie in FOLDER.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from benchmarks import baselines
from benchmarks.calibration import put
from recdistill.evaluation import Evaluation
from recdistill.reporting import (
    as_markdown,
    compare_groups,
    load_groups,
    read_history,
    select_runs,
    write_report,
)

DATASET = "ml-100k"
EXPERIMENT = "1"  # the first that is made in an empty store
TABLES = (
    baselines.RESULTS / DATASET,
    baselines.BEFORE_ROTARY / "baselines" / DATASET,
    baselines.BEFORE_ROTARY / "distillation" / DATASET,
)


@dataclass(frozen=True)
class Recipe:
    """Trainings to write: files by seed, and what kind of run they came from."""

    model: str
    file: str
    seeds: range
    stage: str = "train_baseline"
    learned_from: str = ""


def students() -> list[Recipe]:
    """Name a student, its teachers, its baseline, and the baseline trained on its views."""
    return [
        Recipe("counter", "counter", range(1)),
        Recipe("sasrec on views", "untaught-on-views", range(3)),
        Recipe("sasrec", "sasrec", range(3)),
        Recipe("sasrec", "baseline", range(3, 5)),
        Recipe("teachers", "teacher-networks-and-floors", range(1), "make_transfer_set"),
        Recipe("student", "student-networks-and-floors", range(5), "distill", "teachers"),
    ]


def networks(n_seeds: int) -> list[Recipe]:
    """Name two networks and a floor."""
    return [
        Recipe("counter", "counter", range(1)),
        Recipe("sasrec", "sasrec", range(n_seeds)),
        Recipe("gru4rec", "gru4rec", range(n_seeds)),
    ]


CHAPTERS = {
    "one seed": (networks(1), "latest"),
    "three seeds": (networks(3), "latest"),
    "known noise": (networks(3), "sasrec-s0,gru4rec-s0"),
    "students": (students(), "latest"),
}


def write_run(client: MlflowClient, recipe: Recipe, seed: int, sources: dict[str, str]) -> str:
    """Write one training as its stage would have."""
    names = (f"{recipe.file}-s{seed}.parquet", f"{recipe.file}.parquet")
    path = next(f / name for name in names for f in TABLES if (f / name).is_file())
    # Whose target was which item may not be redistributed: the digest in each file stands for it,
    # and every target counts as one that training met.
    table = pd.read_parquet(path).assign(target=0, target_popularity=1)
    run_id: str = client.create_run(EXPERIMENT, run_name=f"{recipe.model}-s{seed}").info.run_id
    tags = {
        "stage": recipe.stage,
        "seed": str(seed),
        "dataset": DATASET,
        "split": "leave_one_out",
        "protocol": table.attrs["protocol"],
        "catalog.digest": table.attrs["catalog_digest"],
        "split.digest": table.attrs["cases_digest"],
        "transfer_run_id": sources.get(recipe.learned_from, ""),
    }
    metrics = {f"test/{k}": v for k, v in Evaluation(table, {}).metrics().items()}
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, 0, 0) for key, value in metrics.items()],
        params=[Param("config.model", recipe.model), Param("config.seed", str(seed))],
        tags=[RunTag(key, value) for key, value in tags.items() if value],
    )
    with tempfile.TemporaryDirectory() as folder:
        table.to_parquet(Path(folder) / "per_user.parquet")
        client.log_artifact(run_id, f"{folder}/per_user.parquet", "evaluation")
    client.set_terminated(run_id)
    return run_id


def tell(chapter: str, folder: Path) -> str:
    """Fill a store of the chapter's own, compare, and return what `compare` prints."""
    recipes, selection = CHAPTERS[chapter]
    folder = folder / chapter.replace(" ", "-")
    folder.mkdir(parents=True)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client = MlflowClient()
    client.create_experiment("story", artifact_location=str(folder / "artifacts"))
    sources: dict[str, str] = {}
    for recipe in recipes:
        for seed in recipe.seeds:
            sources[recipe.model] = write_run(client, recipe, seed, sources)
    runs = select_runs(client, selection)
    history = read_history(client, runs[0])
    comparison = compare_groups(load_groups(runs), history=history)
    write_report(comparison, folder / "report")
    return as_markdown(comparison)


def main() -> None:
    """Tell every chapter and show it in the guide."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="recdistill-"))
    for chapter in CHAPTERS:
        put(f"story {chapter}", f"```text\n{tell(chapter, folder.absolute()).strip()}\n```")


if __name__ == "__main__":
    main()
