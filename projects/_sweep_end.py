"""How a sweep ends: everything on its run's page, and the best trial trained again and tested."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import yaml

from projects._trials import base_settings
from recdistill.config import as_plain
from recdistill.evaluation import compare_paired, load_evaluation
from recdistill.runs import find_run, launch
from recdistill.sweeps import best_trial, card, draw, page, score, trial_table, with_settings

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study

    from recdistill.runs import Run, RunReference
    from recdistill.sweeps import Facts, Mirror, Space


_WORDS = {"recall": "recall@10", "ndcg": "NDCG@10"}


def show(run: Run, study: Study, mirror: Mirror, space: Space, storage: str) -> None:
    """Write card, table, pictures and page of what the study holds by now."""
    facts = mirror.facts
    table = trial_table(study, facts, space)
    if table.empty:
        return
    run.note(card(study, facts, space, storage=storage))
    # What `log_table` writes, but anew each time: that function appends.
    run.log_text(table.to_json(orient="split", index=False), "trials.json")
    run.set_tags({"mlflow.loggedArtifacts": '[{"path": "trials.json", "type": "table"}]'})
    run.log_text(table.to_csv(index=False), "trials.csv")
    if draw(study, facts, space, run.folder / "plots"):
        run.log_artifact(run.folder / "plots", "plots")
        summary = f"{facts.stage} on {facts.dataset}; every figure is on validation data."
        run.log_text(page(study, facts, space, summary=summary), "sweep.html")
    best = best_trial(study)
    if best is not None:
        run.log_metrics({"sweep/best_trial": best.number, f"best/{facts.metric}": score(best)})
        values = {facts.metric: score(best)}
        run.log_metrics({f"best/{k}": v for k, v in mirror.deltas(values).items()})
        run.set_tags({"best_trial": best.number})
    run.log_metrics({f"sweep/n_{state}": n for state, n in table["state"].value_counts().items()})


def retrain_best(run: Run, study: Study, facts: Facts, space: Space, *, n_seeds: int) -> None:
    """Train the best trial on several seeds, test it, and compare with the baseline's seeds.

    The one moment of a sweep at which test data is read.
    """
    best = best_trial(study)
    if best is None:
        return
    began = time.time() * 1000
    settings = {**space.fixed, **space.values(best.params)}
    file = run.folder / "best.yaml"
    plain = as_plain(with_settings(base_settings(facts), settings))
    file.write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
    run.log_artifact(file)
    known = find_run(run.client, facts.baseline, stages=("train_baseline",))
    baseline_file = known.artifact("config.yaml")
    seed = int(facts.settings["seed"])
    students, baselines = [], []
    with run.phase("retrain"):
        for s in range(seed, seed + n_seeds):
            students.append(launch(run, facts.stage, {"config": file, "seed": s}))
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
    print(f"sweep: {sentence.replace('**', '')}", flush=True)


def _per_user(runs: list[RunReference]) -> list[pd.DataFrame]:
    return [load_evaluation(one.artifact("evaluation")).per_user for one in runs]
