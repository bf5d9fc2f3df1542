"""The best trial trained again on several seeds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill.config import as_plain, as_yaml, part_of
from recdistill.data import OnData
from recdistill.runs import find_run, launch
from recdistill.sweeps._settings import with_settings
from recdistill.sweeps._stage import stage_settings
from recdistill.sweeps._summary import best_trial
from recdistill.training import baseline_settings

if TYPE_CHECKING:
    from optuna import Study

    from recdistill.runs import Run, RunReference
    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import StudySpec


@dataclass(frozen=True)
class Retrained:
    """The best trial on several seeds, beside the baseline on the same.

    Attributes
    ----------
    students, baselines : one run per seed, in the same order.
    seeds : which, in words, and how many baselines were trained for it.
    """

    students: tuple[RunReference, ...]
    baselines: tuple[RunReference, ...]
    seeds: str


def retrain_best(
    run: Run, study: Study, spec: StudySpec, space: Space, *, n_seeds: int
) -> Retrained | None:
    """Train the best trial on several seeds, and the baseline where it lacks one of them.

    The one moment of a sweep at which test data is read. Returns None where no trial is complete.
    """
    best = best_trial(study)
    if best is None:
        return None
    began = time.time() * 1000
    settings = {**space.fixed, **space.values(best.params)}
    own = with_settings(stage_settings(spec), settings)
    known = find_run(run.client, spec.baseline, stages=("train_baseline",))
    of_data = as_plain(part_of(own, OnData))
    file, baseline_file = run.folder / "best.yaml", run.folder / "baseline.yaml"
    file.write_text(as_yaml(own), encoding="utf-8")
    baseline_file.write_text(as_yaml(baseline_settings(known, of_data)), encoding="utf-8")
    run.log_artifact(file)
    seed = int(spec.settings["seed"])
    students, baselines = [], []
    with run.phase("retrain"):
        for s in range(seed, seed + n_seeds):
            students.append(launch(run, spec.stage, {"config": file, "seed": s}))
            if known.tags["seed"] == str(s):
                baselines.append(known)
                continue
            baselines.append(launch(run, "train_baseline", {"config": baseline_file, "seed": s}))
    fresh = [b for b in baselines if run.client.get_run(b.id).info.start_time >= began]
    seeds = "seed " if n_seeds == 1 else "seeds "
    seeds += ", ".join(str(s) for s in range(seed, seed + n_seeds))
    if fresh:
        seeds += f"; the baseline had to be trained on {len(fresh)} of them"
    return Retrained(tuple(students), tuple(baselines), seeds)
