"""What texts add to a student on sparse data: the settings that docs/research/language.md compares.

    python -m benchmarks.language run id minilm tfidf-128   # resumable; minutes of a core per arm
    python -m benchmarks.language cold minilm-drop-0.3      # an eighth of the items held out whole
    python -m benchmarks.language floors                    # counter, kNN and the texts' floor
    python -m benchmarks.language table                     # the results so far

Test data is never read here: every figure is of the validation part. An arm leaves one JSON file:
its settings, every epoch's NDCG@10, and the best epoch's by how often training saw the target.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock

from benchmarks.pages import Block
from recdistill.data import DataConfig, PreparedData, SplitRule, prepare, training_counts
from recdistill.evaluation import Recommender, calibrate_new_items, evaluate
from recdistill.floors import fit_floor
from recdistill.students import StudentConfig, StudentRecommender
from recdistill.teachers import cache_root, locate_llm
from recdistill.texts import (
    EmbeddingConfig,
    ItemVectors,
    TfidfEncoder,
    TransformerEncoder,
    embed_items,
)
from recdistill.training import FitConfig, LossConfig, StudentRecipe, fit_student

RESULTS = Path(__file__).parent / "results" / "language"
WORK = cache_root() / "benchmarks" / "language"
DATASET = "amazon-beauty"
STRATA = {"0": (0, 1), "1-4": (1, 5), "5-19": (5, 20), "20+": (20, 10**9)}
MINILM = "all-minilm-l6-v2"
SPEED = "targets_per_cpu_second"
RECIPE = StudentRecipe(
    StudentConfig(max_length=50, dropout=0.5),
    LossConfig(label_smoothing=0.1),
    FitConfig(max_epochs=16, patience=4),
)


@dataclass(frozen=True)
class Arm:
    """One student of the comparison: what its items are made of; all else is ``RECIPE``.

    Attributes
    ----------
    encoder : empty for ids alone
    draw : which draw of random weights; -1 is pretrained
    permuted : which permutation of the texts; -1 is none
    change : of ``StudentConfig``
    """

    encoder: str = ""
    draw: int = -1
    permuted: int = -1
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    change: dict[str, object] = field(default_factory=dict)

    def recipe(self) -> StudentRecipe:
        """Give the common recipe this arm's item table."""
        item = {"item": "id+text"} if self.encoder else {}
        return replace(RECIPE, architecture=replace(RECIPE.architecture, **(item | self.change)))  # type: ignore[arg-type]


def whitened(dim: int) -> EmbeddingConfig:
    return EmbeddingConfig(dim=dim, reduction="whiten")


ARMS = {
    "id": Arm(),
    "id-dropout-0.4": Arm(change={"dropout": 0.4}),
    "minilm": Arm(MINILM),
    "minilm-drop-0.3": Arm(MINILM, change={"id_dropout": 0.3}),
    "minilm-random-start": Arm(MINILM, change={"item_start": "random"}),
    "minilm-whitened": Arm(MINILM, embedding=whitened(128)),
    "minilm-text-alone": Arm(MINILM, change={"item": "text"}),
    "minilm-text-delta-0.5": Arm(MINILM, change={"item": "text", "delta": 0.5}),
    "smollm2": Arm("smollm2-135m", embedding=EmbeddingConfig(layer=15)),
    **{f"minilm-draw-{i}": Arm(MINILM, draw=i) for i in range(3)},
    **{f"minilm-permuted-{i}": Arm(MINILM, permuted=i) for i in range(3)},
    **{f"tfidf-{d}": Arm("tfidf", embedding=EmbeddingConfig(dim=d)) for d in (64, 128, 256, 384)},
}


def data(split: SplitRule = "leave_one_out") -> PreparedData:
    return prepare(DataConfig(dataset=DATASET, split=split), WORK / "data")


def vectors(arm: Arm, on: PreparedData) -> ItemVectors | None:
    """Make the arm's vectors; what an encoder said is kept."""
    if not arm.encoder:
        return None
    texts = [str(text) for text in on.catalog.items["text"]]
    if arm.encoder == "tfidf":
        encoder = TfidfEncoder(texts, arm.embedding.dim)
    else:
        weights = "pretrained" if arm.draw < 0 else "random"
        folder = locate_llm(arm.encoder)
        encoder = TransformerEncoder.read(folder, arm.embedding, weights=weights, seed=arm.draw)  # type: ignore[arg-type, assignment]
    # A folder for each, never written again: they are mapped into the memory of whoever trains.
    key = json.dumps([encoder.digest, asdict(arm.embedding), on.catalog.digest])
    (WORK / "vectors").mkdir(parents=True, exist_ok=True)
    folder = WORK / "vectors" / hashlib.sha256(key.encode()).hexdigest()[:16]
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "config.json").is_file():
            embed_items(
                on.catalog, encoder, arm.embedding, folder, cache=cache_root(),
                about={"encoder": arm.encoder},
                report=lambda n, of: print(f"{n} texts", flush=True),
            )  # fmt: skip
    made = ItemVectors.load(folder, on.catalog)
    return made.permuted(arm.permuted) if arm.permuted >= 0 else made


def run(name: str, seed: int) -> None:
    """Train one arm and keep what validation says of it."""
    path = RESULTS / DATASET / f"{name}-s{seed}.json"
    if path.is_file():
        return
    on, arm = data(), ARMS[name]
    fitted = fit_student(
        arm.recipe(), on, seed=seed, vectors=vectors(arm, on),
        checkpoint_folder=WORK / "checkpoints" / f"{name}-s{seed}",
        log=lambda m, epoch: print(name, epoch, f"{m['val/ndcg_at_10']:.4f}", flush=True),
    )  # fmt: skip
    kept = judged(placed_by_regression(fitted.recommender, vectors(arm, on), on), on)
    history = fitted.result.history
    kept |= {
        "arm": asdict(arm),
        "epochs": [round(entry["val/ndcg_at_10"], 5) for entry in history],
        "best_epoch": fitted.result.best["epoch"],
        SPEED: float(np.median([entry["train/targets_per_cpu_second"] for entry in history])),
    }
    write(path, kept)


def placed_by_regression(
    model: StudentRecommender, texts: ItemVectors | None, on: PreparedData
) -> StudentRecommender:
    """Put items that training never met where the regression on their texts puts them.

    That was their place when the first of these arms were trained; all are compared so.
    """
    if model.text is not None and texts is not None:
        never_met = torch.from_numpy(training_counts(on.train, on.catalog.n_items) == 0)
        of_them = torch.from_numpy(texts.values.copy())[never_met]
        model.model.item_table().detach()[never_met] = of_them @ model.text.projection
    return model


def judged(model: Recommender, on: PreparedData) -> dict[str, object]:
    """Compute a model's validation figures, over all targets and by training count."""
    evaluation = evaluate(model, on.val, on.catalog, on.train)
    ndcg, recall = (evaluation.outcome(metric, 10) for metric in ("ndcg", "recall"))
    counts = np.bincount(on.train.items, minlength=on.catalog.n_items + 1)[on.val.targets]
    return {
        "ndcg_at_10": float(ndcg.mean()),
        "recall_at_10": float(recall.mean()),
        "strata": {
            words: {
                "n": int(((counts >= low) & (counts < high)).sum()),
                "ndcg_at_10": float(ndcg[(counts >= low) & (counts < high)].mean()),
            }
            for words, (low, high) in STRATA.items()
            if ((counts >= low) & (counts < high)).any()
        },
    }


def write(path: Path, figures: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def cold(name: str, seed: int) -> None:
    """Train an arm without the held-out items, and weigh them against the known ones."""
    path = RESULTS / f"{DATASET}-cold" / f"{name}-s{seed}.json"
    if path.is_file():
        return
    on, arm = data("cold_items"), ARMS[name]
    fitted = fit_student(
        arm.recipe(), on, seed=seed, vectors=vectors(arm, on),
        checkpoint_folder=WORK / "checkpoints" / f"cold-{name}-s{seed}",
        log=lambda m, epoch: print("cold", name, epoch, f"{m['val/ndcg_at_10']:.4f}", flush=True),
    )  # fmt: skip
    new = np.bincount(on.train.items, minlength=on.catalog.n_items + 1) == 0
    found = calibrate_new_items(fitted.recommender, on.val, new)
    print(
        name, found.chosen, f"known alone {found.known_alone:.4f}, new alone {found.new_alone:.4f}"
    )
    write(path, {"arm": asdict(arm), **asdict(found)})


def floors() -> None:
    """Fit the cheap models that any student must beat."""
    on = data()
    for kind in ("popularity", "counter", "knn", "tfidf"):
        path = RESULTS / DATASET / f"floor-{kind}.json"
        if not path.is_file():
            write(path, judged(fit_floor(kind, on.train, on.catalog), on))


def table() -> str:
    """One row per arm, means over seeds, best on top; cost is CPU seconds a target over ids'."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((RESULTS / DATASET).glob("*.json")):
        arm = re.sub(r"-s\d+$", "", path.stem)
        found.setdefault(arm, []).append(json.loads(path.read_text("utf-8")))
    if not found:
        return "Nothing is measured yet."
    head = ["arm", "seeds", "recall@10", "NDCG@10", *STRATA, "cost"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    rows = sorted(found.items(), key=lambda pair: -mean_of(pair[1], "ndcg_at_10"))
    for arm, kept in rows:
        strata = [[s for one in kept if (s := one["strata"].get(name))] for name in STRATA]
        figures = [mean_of(kept, "recall_at_10"), mean_of(kept, "ndcg_at_10")]
        figures += [mean_of(one, "ndcg_at_10") for one in strata]
        cells = [f"{value:.4f}" for value in figures]
        speeds = [mean_of(found.get("id", []), SPEED), mean_of(kept, SPEED)]
        cost = "" if arm.startswith("floor-") else f"{speeds[0] / speeds[1]:.2f}"
        lines.append(f"| {' | '.join([arm, str(len(kept)), *cells, cost])} |".replace("nan", ""))
    return "\n".join(lines)


def cold_table() -> str:
    """One row per training without the held-out items, best new items on top."""
    lines = [
        "| arm | known items, alone | new items, alone | known among all | new among all |",
        "|---|---:|---:|---:|---:|",
    ]
    found = [
        (path.stem, json.loads(path.read_text("utf-8")))
        for path in (RESULTS / f"{DATASET}-cold").glob("*.json")
    ]
    for name, one in sorted(found, key=lambda pair: -pair[1]["chosen"]["new"]):
        figures = (
            one["known_alone"], one["new_alone"], one["chosen"]["known"], one["chosen"]["new"]
        )  # fmt: skip
        lines.append(f"| {name} | {' | '.join(f'{value:.4f}' for value in figures)} |")
    return "\n".join(lines)


def mean_of(kept: list[dict[str, Any]], name: str) -> float:
    values = [one[name] for one in kept if name in one]
    return float(np.mean(values)) if values else float("nan")


def blocks() -> list[Block]:
    """Make the page's table of what validation says so far."""
    page = "docs/research/language.md"
    return [
        Block(page, f"language {DATASET}", table()),
        Block(page, f"language {DATASET}-cold", cold_table()),
    ]


def main() -> None:
    command, *names = sys.argv[1:] or ["table"]
    if command in ("run", "cold"):
        seeds = [int(n) for n in names if n.isdigit()] or [0]
        for seed in seeds:
            for name in [n for n in names if not n.isdigit()] or list(ARMS):
                (run if command == "run" else cold)(name, seed)
    elif command == "floors":
        floors()
    print(table())


if __name__ == "__main__":
    main()
