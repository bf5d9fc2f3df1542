"""Recommend to any number of users: Parquet in, Parquet out, bounded memory, resumable.

mlflow run . --env-manager local -e score -P users=users.parquet -P output=recommendations
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import serving
from recdistill.config import main_fields
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError, require_least
from recdistill.object_store import check_paths, is_address
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import Run, RunReference


@main_fields("model_run", "users", "output", "k", "exclude", "titles", "devices")
@dataclass(frozen=True)
class Config(OnData):
    """Which student recommends how many items to whom, and where they go."""

    model_run: str = "latest"
    users: str = ""
    output: str = "recommendations"
    k: int = 10
    exclude: tuple[str, ...] = ()
    new_items: str = ""
    keep_history: bool = False
    titles: bool = False
    part_size: int = 20_000
    devices: int = 1
    accelerator: str = "auto"
    shard: int = 0
    n_shards: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("k", "part_size", "devices", "n_shards"):
            require_least(name, getattr(self, name), 1)
        check_paths({name: getattr(self, name) for name in ("users", "output", "new_items")})
        if self.new_items and self.model_run == "champion":
            raise UserError(
                "The champion has the items it was promoted with: leave new_items empty."
            )
        if not 0 <= self.shard < self.n_shards:
            raise UserError(f"shard is {self.shard}; it must be in 0 to {self.n_shards - 1}.")


def run(config: Config, run: Run) -> None:
    """Find the student, stream the users through it, say how fast."""
    data = prepare_for(config)
    run.log_data(data)
    model_run = student_run(config, run, data)
    run.rename(model_run.name, "score")
    place = config.output if is_address(config.output) else str(Path(config.output).absolute())
    run.set_tags({"model_run_id": model_run.id, "output": place})
    if config.k > data.catalog.n_items:
        raise UserError(f"k is {config.k}, and the catalog has {data.catalog.n_items} items.")
    student = packaged(config, run, model_run, data)
    scoring = serving.Scoring(
        model_run.id,
        config.users,
        config.k,
        tuple(config.exclude),
        config.keep_history,
        config.titles,
        config.part_size,
        config.new_items,
    )
    workforce = serving.Workforce(config.devices, config.accelerator, config.shard, config.n_shards)
    of_data = None if config.users else data
    with run.phase("score"):
        done = serving.score(student, scoring, config.output, data=of_data, workforce=workforce)
    counts = {"n_users": done.n_users, "n_empty": done.n_empty, "n_unknown": done.n_unknown}
    run.log_metrics({f"score/{name}": value for name, value in counts.items()})
    went_on = f", {done.n_earlier} parts of it by an earlier attempt" if done.n_earlier else ""
    print(
        f"{done.n_users} users in {done.n_parts} parts are in {config.output}{went_on}. "
        f"{done.n_unknown} interactions with items outside the catalog were left out; "
        f"{done.n_empty} users have no item that it knows, and empty lists."
    )


def student_run(config: Config, run: Run, data: PreparedData) -> RunReference:
    """Return the run of the student: by id, by name, the newest, or the one that serves."""
    if config.model_run != "champion":
        return serving.find_student(config.model_run, run, data)
    champion = serving.Registry(run.client, f"recdistill-{data.dataset}").champion()
    return serving.find_student(champion.tags.get("model_run_id", ""), run, data)


def packaged(config: Config, run: Run, model_run: RunReference, data: PreparedData) -> Path:
    """Return the folder of the student: the one that serves as it was packaged, others anew."""
    if config.model_run == "champion":
        return serving.Registry(run.client, f"recdistill-{data.dataset}").champion().student()
    return serving.package_student(
        model_run, data, run, new_items=config.new_items, config=config
    ).student


if __name__ == "__main__":
    stage(run, Config, "score")
