"""The tables of docs/research/language.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.language_new_items.studies import IDS, PRETRAINED, STUDIES, TFIDF
from benchmarks.language_new_items.trials import chosen, trials
from benchmarks.pages import Block, p_of

if TYPE_CHECKING:
    from benchmarks.language_new_items.studies import Study

PAGE = "docs/research/language.md"


def blocks() -> list[Block]:
    """Make two tables a study."""
    return [
        Block(PAGE, f"language {what} {study.name}", table(study))
        for study in STUDIES.values()
        for what, table in (("trials", trials_table), ("test", verdict_table))
    ]


def trials_table(study: Study) -> str:
    """One line a trial, the chosen one of each row in bold."""
    lines = [
        "| row | dropout | smoothing | dropped ids | width | all targets | new among all "
        "| new alone | known keep |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in (IDS, PRETRAINED, TFIDF):
        for trial in trials(study, row):
            words = trial["words"]
            bold = "**" if words == chosen(study, row) else ""
            settings = [f"{words[n]:g}" for n in ("dropout", "label_smoothing", "id_dropout")]
            settings.append(str(words["dim"]) if row == TFIDF else "")
            figures = [f"{trial[n]:.4f}" for n in ("ndcg_at_10", "new", "new_alone")]
            figures.append(f"{trial['known'] / trial['known_alone']:.1%}")
            lines.append(f"| {bold}{row}{bold} | {' | '.join([*settings, *figures])} |")
    return "\n".join(lines) if len(lines) > 2 else "Nothing has been tried yet."


def verdict_table(study: Study) -> str:
    """Means of every row, then what decides."""
    path = study.results / "verdict.json"
    if not path.is_file():
        return "The test part has not been opened."
    found = json.loads(path.read_text("utf-8"))
    lines = ["| row | trainings | NDCG@10 | its SD over seeds |", "|---|---|---|---|"]
    for row, means in sorted(found["means"].items(), key=lambda pair: -float(np.mean(pair[1]))):
        spread = f"{np.std(means, ddof=1):.4f}"
        lines.append(f"| {row} | {len(means)} | {np.mean(means):.4f} | {spread} |")
    lines += ["", f"{found['told']['test']}; validation has {found['told']['validation']}.", ""]
    for place, (pair, tests) in enumerate(found["tests"].items()):
        said = "; ".join(
            f"over {over} [{test['low']:+.4f}, {test['high']:+.4f}], p {p_of(test['p'])}"
            for over, test in tests.items()
        )
        kind = "secondary" if place else "primary"
        lines.append(f"- {kind}: {pair}: {tests['users']['delta']:+.4f} NDCG@10; {said}.")
    return "\n".join(lines)
