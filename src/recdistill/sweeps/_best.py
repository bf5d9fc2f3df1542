"""The best trial trained again on several seeds, and tested."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import yaml

from recdistill.config import as_plain
from recdistill.runs import find_run, launch
from recdistill.sweeps._settings import with_settings
from recdistill.sweeps._stage import stage_settings
from recdistill.sweeps._summary import best_trial

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study

    from recdistill.runs import Run, RunReference
    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import StudySpec

_WORDS = {"recall": "recall@10", "ndcg": "NDCG@10"}


def retrain_best(run: Run, study: Study, spec: StudySpec, space: Space, *, n_seeds: int) -> str:
    """Train the best trial on several seeds, test it, and compare with the baseline's seeds.

    The one moment of a sweep at which test data is read. Returns the result in words.
    """
    from recdistill.evaluation import (
        compare_paired,  # with torch, which few users of this room need
    )

    best = best_trial(study)
    if best is None:
        return "no trial is complete, so there is nothing to test."
    began = time.time() * 1000
    settings = {**space.fixed, **space.values(best.params)}
    file = run.folder / "best.yaml"
    plain = as_plain(with_settings(stage_settings(spec), settings))
    file.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    run.log_artifact(file)
    known = find_run(run.client, spec.baseline, stages=("train_baseline",))
    baseline_file = known.artifact("config.yaml")
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
    words = [f"**On test data** (best trial retrained, {seeds}):"]
    for metric in ("recall", "ndcg"):
        found = compare_paired(_per_user(students), _per_user(baselines), metric=metric)
        name = f"{metric}_at_10"
        run.log_metrics(
            {
                f"test/{name}": found.value_a,
                f"delta/{name}_vs_baseline": found.delta,
                f"p/{name}_vs_baseline": found.p,
            }
        )
        words.append(
            f"{_WORDS[metric]} {found.value_a:.4f}, {found.delta:+.4f} [{found.low:+.4f}, "
            f"{found.high:+.4f}] against the baseline, p {found.p:.3f}."
        )
    sentence = " ".join(words)
    note = run.client.get_run(run.id).data.tags.get("mlflow.note.content", "")
    run.note(f"{sentence}\n\n{note}")
    return sentence.replace("**", "")


def _per_user(runs: list[RunReference]) -> list[pd.DataFrame]:
    from recdistill.evaluation import load_evaluation

    return [load_evaluation(one.artifact("evaluation")).per_user for one in runs]
