"""Small runs, written the way the stages write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from mlflow.entities import Metric, Param, RunTag

from recdistill.evaluation import Evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

N_USERS, N_ITEMS = 300, 500
DIGESTS = {"catalog.digest": "c" * 32, "split.digest": "d" * 32}


def per_user(strength: float, seed: int, n_users: int = N_USERS, **attrs: str) -> pd.DataFrame:
    """Ranks of a model that finds a user's target the better, the higher its ``strength``.

    How hard each user is stays the same in every table, so that models agree on users as real ones
    do; what differs between seeds is drawn anew.
    """
    hardness = np.random.default_rng(99).normal(size=n_users)
    noise = np.random.default_rng(seed).normal(size=n_users)
    above = (N_ITEMS * 0.15 * np.exp(1.5 * hardness + 0.5 * noise - strength)).astype(np.int32)
    above = np.minimum(above, N_ITEMS - 1)
    people = np.random.default_rng(7)
    table = pd.DataFrame(
        {
            "user": np.arange(n_users),
            "history_length": people.integers(3, 80, n_users),
            "target": people.integers(1, N_ITEMS + 1, n_users).astype(np.int32),
            "target_popularity": people.integers(0, 200, n_users),
            "repeated": np.zeros(n_users, bool),
            "n_above": above,
            "n_tied": np.zeros(n_users, np.int32),
            "n_above_unmasked": above,
            "n_tied_unmasked": np.zeros(n_users, np.int32),
        }
    )
    table.attrs = {
        "protocol": "full ranking, test",
        "catalog_digest": DIGESTS["catalog.digest"],
        "cases_digest": "e" * 32,
        "n_items": N_ITEMS,
        "model": "Model",
    }
    table.attrs.update(attrs.items())
    return table


@dataclass
class Store:
    """Writes runs into a tracking store of the test's own."""

    client: MlflowClient
    folder: Path
    experiment: str
    n_written: int = 0

    def write(
        self,
        model: str = "sasrec",
        *,
        seed: int = 0,
        strength: float = 2.0,
        name: str = "",
        stage: str = "train_baseline",
        status: str = "FINISHED",
        tags: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        table: pd.DataFrame | None = None,
    ) -> str:
        """Write one scored run and return its id; later calls are newer runs."""
        self.n_written += 1
        if table is None:
            table = per_user(strength, 1000 * self.n_written)
        run_id: str = self.client.create_run(
            self.experiment,
            start_time=1_700_000_000_000 + 1000 * self.n_written,
            run_name=name or f"{model}-s{seed}",
        ).info.run_id
        own = {
            "stage": stage,
            "seed": str(seed),
            "dataset": "tiny",
            "split": "leave_one_out",
            "protocol": table.attrs["protocol"],
            "command": f"python -m projects.{stage} --model {model} --seed {seed}",
            **DIGESTS,
            **(tags or {}),
        }
        settings = {"model": model, "seed": str(seed), "lr": "0.001", **(params or {})}
        metrics = {f"test/{k}": v for k, v in Evaluation(table, {}).metrics().items()}
        metrics |= {"time/fit_seconds": 3.5, "memory/fit_peak_rss_mb": 640.0}
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, value, 0, 0) for key, value in metrics.items()],
            params=[Param(f"config.{key}", value) for key, value in settings.items()],
            tags=[RunTag(key, value) for key, value in own.items()],
        )
        path = self.folder / "per_user.parquet"
        table.to_parquet(path)
        self.client.log_artifact(run_id, str(path), "evaluation")
        self.client.set_terminated(run_id, status=status)
        return run_id

    def stand_in(self, origin: str) -> str:
        """Write the light run that stands for a cached one."""
        self.n_written += 1
        run = self.client.get_run(origin)
        run_id: str = self.client.create_run(
            self.experiment, start_time=1_700_000_000_000 + 1000 * self.n_written
        ).info.run_id
        tags = {k: v for k, v in run.data.tags.items() if not k.startswith("mlflow.")}
        tags["cache.hit_of"] = origin
        self.client.log_batch(
            run_id,
            metrics=[Metric("test/recall_at_10", 0.1, 0, 0)],
            tags=[RunTag(key, value) for key, value in tags.items()],
        )
        self.client.set_terminated(run_id)
        return run_id
