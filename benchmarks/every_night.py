"""What going on is worth: the last weeks of two logs as they would have run, under three clocks.

    python -m benchmarks.every_night --folder build/every_night      # some 75 CPU minutes

A small SASRec under a recipe for each log that is stated here, of which the last epoch is kept;
three seeds a clock. How to go on was chosen on the weeks before those reported (the arms of
``TRIALS``, one seed; the rule: the highest NDCG@10 of the windows after the first among those
within 20 % of training anew's CPU time). Finished windows are reused when it is started again in
the same folder. Writes the result file and the guide's picture.

What decides was written down before: on both logs the interval of training anew against going on
ends below 3 % of training anew's NDCG@10, going on costs at most 20 % of its CPU time, and going on
is ahead of standing still, p < .05.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.pages import ROOT, Block, p_of

RESULT = Path(__file__).parent / "results" / "every_night.json"
PICTURE = ROOT / "docs" / "assets" / "every_night.png"
SMALL = (
    "--model=sasrec", "--student.dim=32", "--max_length=50", "--patience=0",
    "--tokens_per_batch=3200", "--seed=0",
)  # fmt: skip
RECIPES = {
    "online-retail": ("--max_epochs=8", "--validate_every=8", "--optimizer.lr=0.012"),
    "ml-100k": (
        "--max_epochs=40", "--validate_every=40", "--optimizer.lr=0.003", "--student.dropout=0.4",
    ),
}  # fmt: skip
# What the trials chose where it is not the defaults.
GOING_ON = {"online-retail": (), "ml-100k": ("--epochs=3", "--dropout=0.2")}
TEXT = ("--student.item=id+text", "--student.id_dropout=0.2")
CLOCKS = ("--clocks=[never,update,update+full:2,full]", "--n_seeds=3")
# All items of a user's week are predicted: a single one of each says little in so few weeks.
WEEKLY = ("--rolling.days=7", "--rolling.targets=all")
DATA = {
    # A purchase of an item that the customer had before says nothing of what is new to them.
    "online-retail": ("--cleaning.repeats=first", "--windows=5", *WEEKLY),
    # In the last five weeks not even training anew was better than standing still.
    "ml-100k": ("--windows=12", *WEEKLY),
}
PLAIN = "online-retail"
ARMS = {
    PLAIN: (PLAIN, (), CLOCKS),
    "ml-100k": ("ml-100k", (), (*CLOCKS, *GOING_ON["ml-100k"])),
    "online-retail, text": ("online-retail", TEXT, ("--clocks=[update]", "--n_seeds=3")),
    "online-retail, placed by text": (
        "online-retail",
        (),
        ("--clocks=[update]", "--n_seeds=3", "--place_by_text=true"),
    ),
}
TEXT_ARMS = {
    "online-retail, placed by text": "ids, items that nobody took placed by text",
    "online-retail, text": "ids and texts",
}
# Ways to go on: epochs, new_times, lr_share, dropout, replay.context, replay.share; tried on the
# weeks before.
WAYS = {
    "online-retail": (
        (3, 1, 0.5, 0.2, 50, 0.5), (2, 1, 0.5, 0.0, 50, 0.9), (1, 1, 0.5, 0.2, 1000, 1.0),
        (1, 1, 0.5, 0.0, 1000, 1.0), (1, 1, 1.0, 0.0, 1000, 1.0), (1, 1, 2.0, 0.0, 1000, 1.0),
        (1, 2, 1.0, 0.0, 1000, 1.0), (1, 3, 1.0, 0.0, 1000, 1.0), (1, 4, 1.0, 0.0, 1000, 1.0),
    ),
    "ml-100k": (
        (1, 3, 1.0, 0.0, 1000, 1.0), (1, 3, 2.0, 0.0, 1000, 1.0), (2, 3, 2.0, 0.2, 1000, 1.0),
        (3, 3, 1.0, 0.0, 1000, 1.0), (3, 3, 1.0, 0.2, 1000, 1.0), (4, 2, 1.0, 0.4, 1000, 1.0),
    ),
}  # fmt: skip
BEFORE = {"online-retail": ("--until=2011-11-05",), "ml-100k": ("--until=1998-01-29",)}
# Of ml-100k's weeks six, for they are small.
TRIED = {"online-retail": (), "ml-100k": ("--windows=6",)}
TRIALS = {
    f"{dataset}, trial: {', '.join(map(str, way))}": (dataset, way)
    for dataset, ways in WAYS.items()
    for way in ways
}
WORDS = ("epochs", "new_times", "lr_share", "dropout", "replay.context", "replay.share")
ARMS |= {
    name: (
        dataset,
        (),
        (
            *(f"--{word}={value}" for word, value in zip(WORDS, way, strict=True)),
            *(*TRIED[dataset], *BEFORE[dataset], "--clocks=[never,update,full]"),
        ),
    )
    for name, (dataset, way) in TRIALS.items()
}


def stage(folder: Path, name: str, *words: str) -> str:
    """Run a stage as ``python -m`` does; return the id of its run."""
    from mlflow import MlflowClient

    from recdistill.runs import STANDS_FOR

    store = f"sqlite:///{folder}/mlflow.db"
    environment = os.environ | {"MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    subprocess.run(
        [sys.executable, "-m", f"projects.{name}", *words], cwd=folder, env=environment, check=True
    )
    client = MlflowClient(tracking_uri=store)
    found = client.search_runs(
        ["0"], f"tags.stage = '{name}' and attributes.status = 'FINISHED'", max_results=1
    )[0]
    return str(found.data.tags.get(STANDS_FOR, found.info.run_id))


def measure(folder: Path, arm: str) -> dict[str, Any]:
    """Run one arm's backtest and keep what it found, without any user's own outcome."""
    import pandas as pd
    from mlflow import MlflowClient

    from recdistill import reporting, updating

    dataset, changes, clocks = ARMS[arm]
    # Its recipe is read and nothing else of it: a few users make it.
    sample = ["--max_users=150", "--loss_options.label_smoothing=0"]
    text = []
    if changes:
        made = stage(folder, "embed_items", f"--dataset={dataset}", *sample[:1], "--encoder=tfidf")
        text = [f"--text_run={made}"]
    words = (f"--dataset={dataset}", *sample, *SMALL, *RECIPES[dataset], *changes, *text)
    recipe = stage(folder, "train_baseline", *words)
    asked = (f"--dataset={dataset}", f"--model_run={recipe}", *DATA[dataset], *clocks)
    run_id = stage(folder, "backtest", *asked)
    client = MlflowClient(tracking_uri=f"sqlite:///{folder}/mlflow.db")
    kept = Path(client.download_artifacts(run_id, "backtest", str(folder)))
    cases, windows = pd.read_parquet(kept / "cases.parquet"), pd.read_csv(kept / "windows.csv")
    if arm == PLAIN:
        PICTURE.write_bytes((kept / "windows.png").read_bytes())
    later = updating.later_windows(cases)
    later.to_parquet(_cases_file(folder, arm))
    return {
        "settings": [*SMALL, *RECIPES[dataset], *changes, *DATA[dataset], *clocks],
        "windows": windows.to_dict("records"),
        "item_age": updating.by_age(later, "item_age").reset_index().to_dict("records"),
        "tests": [asdict(test) for test in updating.compare_clocks(later)],
        "report": reporting.clocks_markdown(cases, windows),
        "beside_ids": beside_ids(folder, arm),
    }


def _cases_file(folder: Path, arm: str) -> Path:
    return folder / f"cases, {arm}.parquet"


def beside_ids(folder: Path, arm: str) -> list[dict[str, Any]]:
    """Test an arm with texts against ids alone, both going on, by the age of the item."""
    import pandas as pd

    from recdistill import updating

    if arm not in TEXT_ARMS or not _cases_file(folder, PLAIN).is_file():
        return []
    sides = [
        pd.read_parquet(_cases_file(folder, one)).query("clock == 'update'").assign(clock=words)
        for one, words in ((PLAIN, "ids"), (arm, "texts"))
    ]
    cases = pd.concat(sides)
    return [
        asdict(test) | {"item_age": age, "n_cases": int(len(of_age) / 2 / of_age["seed"].nunique())}
        for age, of_age in cases.groupby("item_age")
        for test in updating.compare_clocks(of_age)
    ]


def blocks() -> list[Block]:
    """Make the guide's tables."""
    found = json.loads(RESULT.read_text(encoding="utf-8"))
    parts = [
        f"**{dataset}**\n\n{found[dataset]['report'].strip()}"
        for dataset in DATA
        if dataset in found
    ]
    lines = [_reached(dataset, found[dataset]) for dataset in DATA if dataset in found]
    text = "\n".join(lines) + "\n\n" + "\n\n".join(parts)
    if more := _text(found):
        text += f"\n\n{more}"
    return [
        Block("docs/guides/every_night.md", "every night", text),
        Block("docs/guides/every_night.md", "ways to go on", _trials(found)),
    ]


def _reached(dataset: str, found: dict[str, Any]) -> str:
    cost = _cost(found)
    tests = {(test["a"], test["b"]): test for test in found["tests"]}
    frozen, full = tests["update", "never"], tests["full", "update"]
    best = full["mean_a"]
    return (
        f"- {dataset}: going on reaches {full['mean_b'] / best:.1%} of training anew's NDCG@10, at "
        f"least {1 - full['high'] / best:.1%} (the lower end of the 95 % interval), at "
        f"{cost['update'] / cost['full']:.1%} of its CPU time, and has {frozen['delta']:+.4f} over "
        f"the model that stands still (p {p_of(frozen['p'])})."
    )


def _cost(found: dict[str, Any]) -> dict[str, float]:
    """CPU seconds of going on and of training anew, over all windows but the first."""
    cost = {"update": 0.0, "full": 0.0}
    for row in found["windows"]:
        if row["step"] == row["clock"] and row["window"] != found["windows"][0]["window"]:
            cost[row["clock"]] += row["cpu_seconds"]
    return cost


def _trials(found: dict[str, Any]) -> str:
    """Show what the ways to go on reached on the weeks before."""
    lines = [
        f"| log | {' | '.join(f'`{word}`' for word in WORDS)} "
        "| of training anew's NDCG@10 | of its CPU time |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, (dataset, way) in TRIALS.items():
        if name not in found:
            continue
        cost = _cost(found[name])
        test = next(t for t in found[name]["tests"] if (t["a"], t["b"]) == ("full", "update"))
        share = f"{cost['update'] / cost['full']:.1%}"
        reached = f"{test['mean_b'] / test['mean_a']:.1%}"
        lines.append(f"| {' | '.join([dataset, *map(str, way), reached, share])} |")
    return "\n".join(lines)


def _text(found: dict[str, Any]) -> str:
    arms = {"ids alone": PLAIN} | {words: arm for arm, words in TEXT_ARMS.items()}
    arms = {words: arm for words, arm in arms.items() if arm in found}
    if len(arms) < 2:
        return ""
    ages = {w: {row["item_age"]: row for row in found[a]["item_age"]} for w, a in arms.items()}
    lines = [
        f"| online-retail, going on: the item first seen in | cases | {' | '.join(arms)} |",
        f"|---|{'---:|' * (1 + len(arms))}",
    ]
    for age, row in ages["ids alone"].items():
        reached = " | ".join(f"{of[age]['update']:.4f}" for of in ages.values())
        lines.append(f"| {age} | {row['n_cases']:,.0f} | {reached} |")
    tests = [
        f"- {words}, items first seen in {test['item_age']}: {test['delta']:+.4f} NDCG@10 "
        f"over ids alone [{test['low']:+.4f}, {test['high']:+.4f}], p {p_of(test['p'])}"
        for arm, words in TEXT_ARMS.items()
        for test in found.get(arm, {}).get("beside_ids", [])
    ]
    return "\n".join([*lines, "", *tests]).rstrip()


def main() -> None:
    """Measure what is asked for, one arm after the other; write each as it comes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "every_night")
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), default=list(ARMS))
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for arm in asked.arms:
        found = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
        found[arm] = measure(folder, arm)
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
