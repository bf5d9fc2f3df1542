"""Does pretraining place new products? Online Retail, cut on 2011-08-01, as planned in the docs.

    python -m benchmarks.language_retail try       # settings, on validation; a file per trial
    python -m benchmarks.language_retail run       # five seeds a row, then the test part, once
    python -m benchmarks.language_retail           # the tables

Known users' first purchases of products that training never met, ranked in the whole catalog. New
products' scores are moved by the shift that validation teaches (known targets keep 98 %), by the
same rule for every row. Who bought what is in no file: ranks alone are kept.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.language import MINILM, Arm, vectors
from benchmarks.pages import Block, p_of
from recdistill.data import Cases, DataConfig, PreparedData, Temporal, prepare
from recdistill.evaluation import (
    Shifted,
    boil_down,
    by_item,
    by_user,
    calibrate_new_items,
    compare_recipes,
    evaluate,
    outcome,
)
from recdistill.students import StudentConfig
from recdistill.teachers import cache_root
from recdistill.texts import EmbeddingConfig
from recdistill.training import FitConfig, LossConfig, StudentRecipe, fit_student

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from recdistill.evaluation import Calibration, RecipeTest
    from recdistill.students import StudentRecommender

DATASET = "online-retail"
RESULTS = Path(__file__).parent / "results" / "language" / DATASET
TEST = RESULTS.with_name(f"{DATASET}-test")
WORK = cache_root() / "benchmarks" / "language" / DATASET
PAGE = "docs/research/language.md"
# Seven weeks before the cut validate. Shares of all purchases, since dates cannot be asked for.
FROM_VALIDATION, FROM_TEST = "2011-06-15", "2011-08-01"
SEEDS = range(5)
N_VALIDATED = 2000  # of the validation cases, after every second epoch
IDS, TFIDF, PRETRAINED, RANDOM = "ids", "ids and TF-IDF", "ids and MiniLM", "random weights"
PRIMARY = (PRETRAINED, TFIDF)
SECONDARY = ((PRETRAINED, RANDOM), (RANDOM, TFIDF))
Words = dict[str, Any]
# Settings that are tried: what a network needs first, then what a text needs.
NETWORK: tuple[Words, ...] = tuple(
    {"dropout": dropout, "label_smoothing": smoothing}
    for dropout in (0.2, 0.4)
    for smoothing in (0.0, 0.1)
)
DROPPED_IDS: tuple[Words, ...] = tuple({"id_dropout": share} for share in (0.1, 0.3, 0.5))
WIDTHS: tuple[Words, ...] = tuple({"dim": dim} for dim in (64, 256, 384))
OF_NETWORK, OF_TEXT = ("dropout", "label_smoothing"), ("id_dropout", "dim")
START: Words = NETWORK[1] | {"id_dropout": 0.0, "dim": 128}


def data() -> PreparedData:
    """Cut at the two dates; every later purchase is a target."""
    rows = pd.read_parquet(_rows_at(), columns=["timestamp"])["timestamp"]
    days = pd.to_datetime(rows, unit="s")
    val, test = ((days >= day).mean() for day in (FROM_VALIDATION, FROM_TEST))
    cuts = Temporal(val_share=float(val - test), test_share=float(test), targets="all")
    return prepare(DataConfig(DATASET, split="global_temporal", temporal=cuts), WORK / "data")


def _rows_at() -> Path:
    for folder in os.environ.get("RECDISTILL_DATA", "").split(os.pathsep):
        if (path := Path(folder) / DATASET / "interactions.parquet").is_file():
            return path
    raise SystemExit(f"{DATASET} is under no folder of RECDISTILL_DATA.")


def never_met(on: PreparedData) -> NDArray[np.bool_]:
    """Mark the items without a training interaction, shape [n_items + 1]."""
    new: NDArray[np.bool_] = np.bincount(on.train.items, minlength=on.catalog.n_items + 1) == 0
    return new


def first_purchases(cases: Cases, on: PreparedData) -> Cases:
    """Keep the cases of known users whose target they had not had."""
    rows, _ = cases.history.keys()
    had = np.zeros(len(cases.targets), bool)
    had[rows[cases.history.items == cases.targets[rows]]] = True
    return _some(cases, ~had & (on.train.lengths[cases.users] > 0))


def of_new_products(cases: Cases, on: PreparedData) -> Cases:
    """Keep known users' first purchases of products that training never met."""
    cases = first_purchases(cases, on)
    return _some(cases, never_met(on)[cases.targets])


def counted(cases: Cases) -> dict[str, float]:
    """Count cases, users and items, and the share of the ten items that are targets most often."""
    often = np.sort(np.bincount(cases.targets))[::-1]
    return {
        "cases": len(cases.targets),
        "users": len(np.unique(cases.users)),
        "items": int((often > 0).sum()),
        "share_of_ten": float(often[:10].sum() / often.sum()),
    }


def _some(cases: Cases, kept: NDArray[np.bool_]) -> Cases:
    at = np.flatnonzero(kept)
    return Cases(cases.users[at], cases.history.take(at), cases.targets[at])


def arm(row: str, words: Words, draw: int = 0) -> Arm:
    """Say what the items of a row are made of."""
    encoder = {IDS: "", TFIDF: "tfidf"}.get(row, MINILM)
    return Arm(
        encoder,
        draw=draw if row == RANDOM else -1,
        embedding=EmbeddingConfig(dim=words["dim"] if row == TFIDF else 128),
        change={"id_dropout": words["id_dropout"]} if encoder else {},
    )


def fitted(row: str, words: Words, seed: int, on: PreparedData) -> StudentRecommender:
    """Train one student; one that was stopped goes on."""
    made = arm(row, words, draw=seed % 3)
    architecture = StudentConfig(max_length=100, dropout=words["dropout"])
    item = {"item": "id+text"} if made.encoder else {}
    recipe = StudentRecipe(
        replace(architecture, **(item | made.change)),  # type: ignore[arg-type]
        LossConfig(label_smoothing=words["label_smoothing"]),
        FitConfig(max_epochs=16, validate_every=2, patience=0),
    )
    named = "-".join(f"{value:g}" for value in words.values())
    at = WORK / "checkpoints" / f"{row}-{named}-s{seed}".replace(" ", "-")
    few = replace(on, val=validated(on))
    return fit_student(
        recipe, few, seed=seed, vectors=vectors(made, on), checkpoint_folder=at
    ).recommender


def validated(on: PreparedData) -> Cases:
    """Draw the cases that choose a training's epoch and its network's settings."""
    cases = first_purchases(on.val, on)
    drawn = np.zeros(len(cases.targets), bool)
    drawn[np.random.default_rng(0).permutation(len(drawn))[:N_VALIDATED]] = True
    return _some(cases, drawn)


def calibrated(model: StudentRecommender, on: PreparedData) -> Calibration:
    """Learn the shift of new products' scores on validation."""
    return calibrate_new_items(model, first_purchases(on.val, on), never_met(on))


def try_settings() -> None:
    """Choose dropout and smoothing by all validation targets, what a text needs by the new ones."""
    on = data()
    for row in (IDS, PRETRAINED, TFIDF):
        best = START | _best(row, [START | words for words in NETWORK], "ndcg_at_10", on)
        if row != IDS:
            widths = [best | words for words in WIDTHS] if row == TFIDF else []
            best |= _best(row, [best, *widths], "new", on)
            _best(row, [best, *(best | words for words in DROPPED_IDS)], "new", on)


def _best(row: str, tried: list[Words], metric: str, on: PreparedData) -> Words:
    found = [_trial(row, words, on) for words in tried]
    words: Words = max(found, key=lambda trial: float(trial[metric]))["words"]
    return words


def _trial(row: str, words: Words, on: PreparedData) -> dict[str, Any]:
    named = "-".join(f"{value:g}" for value in words.values())
    path = RESULTS / "trials" / f"{row.replace(' ', '-')}-{named}.json"
    if not path.is_file():
        model = fitted(row, words, 0, on)
        found = calibrated(model, on)
        every = evaluate(model, validated(on), on.catalog, on.train)
        figures = {"ndcg_at_10": float(every.outcome("ndcg", 10).mean())}
        figures |= {"new": found.chosen.new, "new_alone": found.new_alone}
        figures |= {"known": found.chosen.known, "known_alone": found.known_alone}
        _write(path, {"row": row, "words": words, **figures})
    kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return kept


def chosen(row: str) -> Words:
    """Return the settings of a row: random weights have those of the pretrained ones."""
    of = PRETRAINED if row == RANDOM else row
    trials = _trials(of)
    if not trials:
        raise SystemExit("Run `try` first.")
    network = max(
        (trial for trial in trials if all(trial["words"][n] == START[n] for n in OF_TEXT)),
        key=lambda trial: float(trial["ndcg_at_10"]),
    )["words"]
    alike = [t for t in trials if all(t["words"][n] == network[n] for n in OF_NETWORK)]
    words: Words = max(alike, key=lambda trial: float(trial["new"]))["words"]
    return network if row == IDS else words


def _trials(row: str) -> list[dict[str, Any]]:
    found = [json.loads(p.read_text("utf-8")) for p in sorted((RESULTS / "trials").glob("*.json"))]
    return [trial for trial in found if trial["row"] == row]


def run() -> None:
    """Train every row with every seed, and only then open the test part."""
    on = data()
    rows = (IDS, TFIDF, PRETRAINED, RANDOM)
    shifted = {}
    for seed in SEEDS:
        for row in rows:
            model = fitted(row, chosen(row), seed, on)
            shift = calibrated(model, on).chosen.shift
            shifted[row, seed] = Shifted(model, never_met(on), shift)
            print(row, seed, f"shift {shift:.3f}", flush=True)
    cases = of_new_products(on.test, on)
    ndcg: dict[str, list[NDArray[np.float64]]] = {row: [] for row in rows}
    for (row, seed), model in shifted.items():
        found = evaluate(model, cases, on.catalog, on.train).per_user
        path = TEST / f"{row.replace(' ', '-')}-s{seed}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        found[["user", "n_above", "n_tied"]].to_parquet(path, compression="zstd")
        ndcg[row].append(outcome(found, "ndcg"))
    tests = {
        f"{a} against {b}": {
            over: _as_json(_tested(ndcg[a], ndcg[b], spread, ids))
            for over, spread, ids in (
                ("users", by_user, cases.users),
                ("items", by_item, cases.targets),
            )
        }
        for a, b in (PRIMARY, *SECONDARY)
    }
    means = {row: [float(one.mean()) for one in ones] for row, ones in ndcg.items()}
    counts = {"test": counted(cases), "validation": counted(of_new_products(on.val, on))}
    _write(RESULTS / "verdict.json", {"counts": counts, "means": means, "tests": tests})


def _tested(
    a: list[NDArray[np.float64]],
    b: list[NDArray[np.float64]],
    spread: Callable[[NDArray[np.float64], NDArray[np.integer]], NDArray[np.float64]],
    ids: NDArray[np.integer],
) -> RecipeTest:
    sides = [boil_down([spread(one, ids) for one in side]) for side in (a, b)]
    return compare_recipes(*sides)


def _as_json(found: RecipeTest) -> dict[str, float]:
    return {name: float(getattr(found, name)) for name in ("delta", "low", "high", "p")}


def trials_table() -> str:
    """One line a trial, the chosen one of each row in bold."""
    lines = [
        "| row | dropout | smoothing | dropped ids | width | all targets | new among all "
        "| new alone | known keep |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in (IDS, PRETRAINED, TFIDF):
        for trial in _trials(row):
            words = trial["words"]
            bold = "**" if words == chosen(row) else ""
            settings = [f"{words[n]:g}" for n in ("dropout", "label_smoothing", "id_dropout")]
            settings.append(str(words["dim"]) if row == TFIDF else "")
            figures = [f"{trial[n]:.4f}" for n in ("ndcg_at_10", "new", "new_alone")]
            figures.append(f"{trial['known'] / trial['known_alone']:.1%}")
            lines.append(f"| {bold}{row}{bold} | {' | '.join([*settings, *figures])} |")
    return "\n".join(lines) if len(lines) > 2 else "Nothing has been tried yet."


def verdict_table() -> str:
    """Means of every row, then what decides."""
    path = RESULTS / "verdict.json"
    if not path.is_file():
        return "The test part has not been opened."
    found = json.loads(path.read_text("utf-8"))
    lines = ["| row | trainings | NDCG@10 | its SD over seeds |", "|---|---|---|---|"]
    for row, means in sorted(found["means"].items(), key=lambda pair: -float(np.mean(pair[1]))):
        spread = f"{np.std(means, ddof=1):.4f}"
        lines.append(f"| {row} | {len(means)} | {np.mean(means):.4f} | {spread} |")
    told = {
        part: f"{n['cases']:,} first purchases by {n['users']:,} users of {n['items']:,} new "
        f"products, {n['share_of_ten']:.0%} of them of the ten bought most"
        for part, n in found["counts"].items()
    }
    lines += ["", f"{told['test']}; validation has {told['validation']}.", ""]
    for place, (pair, tests) in enumerate(found["tests"].items()):
        said = "; ".join(
            f"over {over} [{test['low']:+.4f}, {test['high']:+.4f}], p {p_of(test['p'])}"
            for over, test in tests.items()
        )
        kind = "secondary" if place else "primary"
        lines.append(f"- {kind}: {pair}: {tests['users']['delta']:+.4f} NDCG@10; {said}.")
    return "\n".join(lines)


def blocks() -> list[Block]:
    """Make the page's two tables."""
    return [
        Block(PAGE, f"language trials {DATASET}", trials_table()),
        Block(PAGE, f"language test {DATASET}", verdict_table()),
    ]


def _write(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(path.stem, found if "words" in found else "", flush=True)


def main() -> None:
    """Read the command line."""
    command = sys.argv[1] if len(sys.argv) > 1 else "table"
    if command == "try":
        try_settings()
    if command == "run":
        run()
    for block in blocks():
        print(block.text)


if __name__ == "__main__":
    main()
