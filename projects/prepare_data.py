"""Read a data set, clean and split it, and write the folder that every other stage works on.

mlflow run . --env-manager local -e prepare_data -P dataset=ml-100k
mlflow run . --env-manager local -e prepare_data -P dataset=shop -P data_path=new.csv \
    -P extends=latest
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import data_runs
from recdistill.config import main_fields
from recdistill.data import DataConfig, prepare, read_leakage, summary
from recdistill.object_store import Address
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import Run


@main_fields(
    "dataset",
    "data_path",
    "source",
    "split",
    "extends",
    "until",
    "train_file",
    "val_file",
    "test_file",
    "max_users",
    "min_interactions",
)
@dataclass(frozen=True)
class Config(DataConfig):
    """Settings of prepare_data; conf/prepare_data.yaml says what each does and costs."""

    preset: str = "full"
    copy_to: str = ""
    use_cache: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.copy_to:
            Address.parse(self.copy_to, "copy_to")


def run(config: Config, run: Run) -> None:
    """Prepare the folder, then log what is in it, what was dropped and what leaks."""
    asked = DataConfig.of(config)
    asked = replace(asked, extends=data_runs.folder_of(config.extends, run))
    with run.phase("prepare"):
        data = prepare(asked, Path("data"), rebuild=not config.use_cache)
    run.log_data(data)
    run.rename(data.folder.name, "data")
    if config.copy_to:
        with run.phase("copy"):
            copied = data_runs.copy_to(data.folder, Address.parse(config.copy_to, "copy_to"))
        print(f"{data.folder} {'copied to' if copied else 'lies already at'} {config.copy_to}")
    report = summary(data)
    print(report)
    if run.already_done(data.inputs(), use_cache=config.use_cache):
        return
    run.log_metrics(figures(data))
    for name in ("manifest.json", "catalog.csv", "leakage.json"):
        run.log_artifact(data.folder / name, "data")
    run.log_text(report, "data/report.md")
    run.note(report)


def figures(data: PreparedData) -> dict[str, float]:
    """Name counts of the folder, of every drop, and the leakage report's numbers as metrics."""
    out = {f"data/{name}": float(count) for name, count in data.manifest["counts"].items()}
    dropped = data.manifest["dropped"]
    out |= {f"data/n_dropped_{name}": float(count) for name, count in dropped.items()}
    if parent := data.manifest.get("parent"):
        out |= {f"data/{name}": float(parent[name]) for name in ("n_new_items", "n_new_users")}
        out |= {f"data/n_rows_{name}": float(count) for name, count in parent["rows"].items()}
    leakage = read_leakage(data.folder)
    for part in ("val", "test"):
        out |= {f"leakage/{part}/{name}": float(v) for name, v in leakage[part].items()}
    return out


if __name__ == "__main__":
    stage(run, Config, "prepare_data")
