"""Training one student of a study, and choosing its settings on validation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.language import MINILM, Arm, vectors
from benchmarks.language_new_items.studies import IDS, PRETRAINED, RANDOM, TFIDF, Words, some
from recdistill.evaluation import evaluate
from recdistill.students import StudentConfig
from recdistill.texts import EmbeddingConfig
from recdistill.training import FitConfig, LossConfig, StudentRecipe, fit_student

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.language_new_items.studies import Study
    from recdistill.data import Cases, PreparedData
    from recdistill.students import StudentRecommender

N_VALIDATED = 2000  # of the validation cases, when an epoch is chosen
# What a text needs is tried after what a network needs.
DROPPED_IDS: tuple[Words, ...] = tuple({"id_dropout": share} for share in (0.1, 0.3, 0.5))
WIDTHS: tuple[Words, ...] = tuple({"dim": dim} for dim in (64, 256, 384))
OF_NETWORK, OF_TEXT = ("dropout", "label_smoothing"), ("id_dropout", "dim")


def arm(row: str, words: Words, draw: int = 0) -> Arm:
    """Say what the items of a row are made of."""
    encoder = {IDS: "", TFIDF: "tfidf"}.get(row, MINILM)
    return Arm(
        encoder,
        draw=draw if row == RANDOM else -1,
        embedding=EmbeddingConfig(dim=words["dim"] if row == TFIDF else 128),
        change={"id_dropout": words["id_dropout"]} if encoder else {},
    )


def fitted(study: Study, row: str, words: Words, seed: int, on: PreparedData) -> StudentRecommender:
    """Train one student; one that was stopped goes on."""
    made = arm(row, words, draw=seed % 3)
    architecture = StudentConfig(max_length=study.max_length, dropout=words["dropout"])
    item = {"item": "id+text"} if made.encoder else {}
    recipe = StudentRecipe(
        replace(architecture, **(item | made.change)),  # type: ignore[arg-type]
        LossConfig(label_smoothing=words["label_smoothing"]),
        FitConfig(max_epochs=study.max_epochs, validate_every=study.validate_every, patience=0),
    )
    at = study.work / "checkpoints" / f"{row}-{_named(words)}-s{seed}".replace(" ", "-")
    few = replace(on, val=validated(study, on))
    return fit_student(
        recipe, few, seed=seed, vectors=vectors(made, on), checkpoint_folder=at
    ).recommender


def validated(study: Study, on: PreparedData) -> Cases:
    """Draw the cases that choose a training's epoch and its network's settings."""
    cases = study.cases(on.val, on)
    drawn = np.zeros(len(cases.targets), bool)
    drawn[np.random.default_rng(0).permutation(len(drawn))[:N_VALIDATED]] = True
    return some(cases, drawn)


def try_settings(study: Study, rows: tuple[str, ...] = (IDS, PRETRAINED, TFIDF)) -> None:
    """Choose a network's settings by all validation targets, a text's by the new ones."""
    on = study.data()
    for row in rows:
        start = study.start
        best = start | _best(study, row, [start | w for w in study.network], "ndcg_at_10", on)
        if row != IDS:
            by = study.judged_by
            widths = [best | words for words in WIDTHS] if row == TFIDF else []
            best |= _best(study, row, [best, *widths], by, on)
            _best(study, row, [best, *(best | words for words in DROPPED_IDS)], by, on)


def chosen(study: Study, row: str) -> Words:
    """Return the settings of a row: random weights have those of the pretrained ones."""
    found = trials(study, PRETRAINED if row == RANDOM else row)
    if not found:
        raise SystemExit("Run `try` first.")
    network = max(
        (trial for trial in found if all(trial["words"][n] == study.start[n] for n in OF_TEXT)),
        key=lambda trial: float(trial["ndcg_at_10"]),
    )["words"]
    alike = [t for t in found if all(t["words"][n] == network[n] for n in OF_NETWORK)]
    words: Words = max(alike, key=lambda trial: float(trial[study.judged_by]))["words"]
    return network if row == IDS else words


def trials(study: Study, row: str) -> list[dict[str, Any]]:
    """Read a row's trials."""
    files = sorted((study.results / "trials").glob("*.json"))
    found = [json.loads(path.read_text("utf-8")) for path in files]
    return [trial for trial in found if trial["row"] == row]


def write(path: Path, found: dict[str, Any]) -> None:
    """Keep what was found."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(path.stem, found if "words" in found else "", flush=True)


def _best(study: Study, row: str, tried: list[Words], metric: str, on: PreparedData) -> Words:
    found = [_trial(study, row, words, on) for words in tried]
    words: Words = max(found, key=lambda trial: float(trial[metric]))["words"]
    return words


def _trial(study: Study, row: str, words: Words, on: PreparedData) -> dict[str, Any]:
    path = study.results / "trials" / f"{row.replace(' ', '-')}-{_named(words)}.json"
    if not path.is_file():
        model = fitted(study, row, words, 0, on)
        found = study.calibrated(model, on)
        every = evaluate(model, validated(study, on), on.catalog, on.train)
        figures = {"ndcg_at_10": float(every.outcome("ndcg", 10).mean())}
        figures |= {"new": found.chosen.new, "new_alone": found.new_alone}
        figures |= {"known": found.chosen.known, "known_alone": found.known_alone}
        write(path, {"row": row, "words": words, **figures})
    kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return kept


def _named(words: Words) -> str:
    return "-".join(f"{value:g}" for value in words.values())
