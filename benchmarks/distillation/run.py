"""Trying settings one step earlier in time, then training and testing seed by seed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.distillation.models import Workshop
from benchmarks.distillation.settings import POOL, SETTINGS
from recdistill.data import Cases, DataConfig, Sequences, prepare
from recdistill.evaluation import evaluate

if TYPE_CHECKING:
    from benchmarks.distillation.models import Chosen
    from recdistill.data import PreparedData

RESULTS = Path(__file__).parents[1] / "results" / "distillation"
# Trainings of settings that were chosen until a trial of a longer one was there.
SHORTER = RESULTS.with_name("shorter-training")
KEPT = ["user", "n_above", "n_tied"]
TRIAL_SEED = 0


def try_settings(dataset: str, state: Path) -> None:
    """Try every recipe's settings one step earlier in time; each trial is a file."""
    setting, data = SETTINGS[dataset], earlier(prepare(DataConfig(dataset=dataset)))
    # The student comes last: its pool's networks have the settings found for their kinds.
    for name, recipe in setting.recipes.items():
        for number, words in enumerate(recipe.tried):
            path = trial_path(dataset, name, number)
            if path.exists():
                continue
            chosen = _best_so_far(dataset) | {name: words}
            # The pool and its lists are common to all trials of the student.
            folder = state / dataset / "earlier" / f"seed-{TRIAL_SEED}"
            tried = replace(setting, views=setting.views_of_trial(name, number))
            workshop = Workshop(data, tried, chosen, folder, TRIAL_SEED)
            model, facts = workshop.make(name)
            metrics = evaluate(model, data.test, data.catalog, data.train).metrics()
            facts |= {"recipe": name, "number": number, "seed": TRIAL_SEED}
            keep(path, facts | _figures(metrics))


def run(dataset: str, state: Path, n_seeds: int | None = None) -> None:
    """Train and test what has no file yet, all recipes of a seed before the next seed."""
    setting, data = SETTINGS[dataset], prepare(DataConfig(dataset=dataset))
    chosen = choose(dataset)
    for seed in range(n_seeds or setting.n_seeds):
        workshop = Workshop(data, setting, chosen, state / dataset / f"seed-{seed}", seed)
        for name in [*setting.recipes, POOL]:
            table = RESULTS / dataset / f"{name}-s{seed}.parquet"
            counted = name in setting.recipes and setting.recipes[name].kind == "counts"
            if table.exists():
                _require_words(table.with_suffix(".json"), chosen.get(name, ()))
            if table.exists() or (counted and seed):
                continue
            model, facts = workshop.make(name)
            found = evaluate(model, data.test, data.catalog, data.train)
            facts |= {"recipe": name, "seed": seed, "split_digest": data.split_digest}
            # The figures first: a table without them would never be made again.
            keep(table.with_suffix(".json"), facts | _figures(found.metrics()))
            found.per_user[KEPT].to_parquet(table, compression="zstd")


def _require_words(path: Path, words: tuple[str, ...]) -> None:
    """Stop where a training is there of another setting than the one that was chosen."""
    if (found := json.loads(path.read_text("utf-8"))["words"]) != list(words):
        raise SystemExit(
            f"{path.stem} was trained by {' '.join(found)}, and trials have chosen "
            f"{' '.join(words)}: move it to {SHORTER.name}, where its look still counts"
        )


def choose(dataset: str) -> Chosen:
    """Return the words of every recipe's best trial.

    Raises
    ------
    SystemExit
        When a recipe's trials are not all there: none may be chosen from fewer than another. When
        the best of them was on other views than the setting's.
    """
    recipes = SETTINGS[dataset].recipes
    missing = [
        path.name
        for name, recipe in recipes.items()
        for number in range(len(recipe.tried))
        if not (path := trial_path(dataset, name, number)).exists()
    ]
    if missing:
        raise SystemExit(f"{', '.join(missing)} missing: run `try {dataset}` first")
    best = _best_so_far(dataset)
    for name, recipe in recipes.items():
        number = recipe.tried.index(best[name])
        if (name, number) in SETTINGS[dataset].other_views:
            raise SystemExit(f"the best trial of {name} had other views than `run` would draw")
    return best


def trial_path(dataset: str, name: str, number: int) -> Path:
    """Name a trial's file."""
    return RESULTS / dataset / "trials" / f"{name}-{number}-s{TRIAL_SEED}.json"


def trials(dataset: str, name: str) -> list[dict[str, Any]]:
    """Read a recipe's trials, in the order of its settings."""
    paths = [
        trial_path(dataset, name, n) for n in range(len(SETTINGS[dataset].recipes[name].tried))
    ]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def _best_so_far(dataset: str) -> Chosen:
    best = {}
    for name, recipe in SETTINGS[dataset].recipes.items():
        found = trials(dataset, name)
        best[name] = recipe.tried[0]
        if found:
            best[name] = tuple(max(found, key=lambda trial: trial["ndcg_at_10"])["words"])
    return best


def keep(path: Path, facts: dict[str, Any]) -> None:
    """Write what is known of a model."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(path.stem, facts, flush=True)


def _figures(metrics: dict[str, float]) -> dict[str, float]:
    return {name: metrics[name] for name in ("recall_at_10", "ndcg_at_10")}


def earlier(data: PreparedData) -> PreparedData:
    """Take one step back in time: validate on the last training item, test on validation."""
    train = data.train
    users = np.array([u for u in data.val.users if train.lengths[u] >= 3])
    shorter = set(users.tolist())
    targets = dict(zip(data.val.users.tolist(), data.val.targets.tolist(), strict=True))
    rows = [train.row(user) for user in range(len(train))]
    before = [row[:-1] if user in shorter else row for user, row in enumerate(rows)]
    val = Sequences.from_lists(before[user] for user in users)
    newest = np.array([rows[user][-1] for user in users], np.int32)
    tested = np.array([targets[user] for user in users.tolist()], np.int32)
    return replace(
        data,
        train=Sequences.from_lists(before),
        val=Cases(users, val, newest),
        test=Cases(users, train.take(users), tested),
        manifest=data.manifest | {"split_digest": f"earlier-{data.split_digest}"},
    )
