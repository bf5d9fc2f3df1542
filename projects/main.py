"""The whole story in one command: data, floors, baseline, and what the comparison says.

    mlflow run . --env-manager local -P preset=quick

Every step is a child run of this one, in a process of its own; finished steps are reused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from projects._on_data import OnData
from recdistill.config import as_dotted
from recdistill.tracking import Run, launch, stage


@dataclass(frozen=True)
class Config(OnData):
    """Which steps, how often."""

    preset: str = "quick"
    floors: list[str] = field(
        default_factory=lambda: ["popularity", "markov", "ease", "knn", "counter"]
    )
    model: str = "sasrec"
    n_seeds: int = 3


def run(config: Config, run: Run) -> None:
    """Run the steps in order, each on the data the first one prepared."""
    run.rename(f"{config.dataset}-{config.preset}-main")
    shared = _given(config)

    sampled = {k: v for k, v in shared.items() if k != "data_seed"} | {"seed": config.data_seed}
    launch(run, "prepare_data", sampled)
    config.prepared(run)

    models = [launch(run, "train_baseline", {**shared, "model": kind}) for kind in config.floors]
    for seed in range(config.seed, config.seed + config.n_seeds):
        settings = {**shared, "model": config.model, "seed": seed}
        models.append(launch(run, "train_baseline", settings))

    compared = launch(run, "compare", {"runs": ",".join(m.id for m in models)})
    run.log_metrics({k: v for k, v in compared.metrics.items() if k.startswith(("delta/", "p/"))})


def _given(config: Config) -> dict[str, Any]:
    """Name the data's settings that differ from their defaults, as a child's parameters."""
    own, default = as_dotted(config), as_dotted(OnData())
    changed = {key: own[key] for key in default if own[key] != default[key] and key != "seed"}
    return changed | {"dataset": config.dataset, "preset": config.preset}


if __name__ == "__main__":
    stage(run, Config, "main")
