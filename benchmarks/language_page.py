"""The page of `audit_language`, made of the models of Amazon Beauty that met its test part.

    python -m benchmarks.language_page build/language.html

Their ranks are files (`benchmarks.language_verdict`); users' targets are not, so the data must be
at hand. Every arm had one setting, chosen before; nothing is trained or opened here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.language import ARMS, DATASET, MINILM, RECIPE, RESULTS, SPEED, data
from benchmarks.language_verdict import RANDOM, files_of
from benchmarks.looks import n_looks
from recdistill.audit import Arm, ArmResult, Setting, measure
from recdistill.reporting import language_markdown, render_language_audit

if TYPE_CHECKING:
    from recdistill.audit import LanguageAudit
    from recdistill.data import PreparedData

# Arms of the audit by the rows of docs/research/language.md.
AUDITED = {
    "ids": Arm("ids", "ids"),
    "ids and TF-IDF": Arm("tfidf", "words", "tfidf"),
    "ids and MiniLM": Arm(MINILM, "pretrained", MINILM),
    RANDOM: Arm(f"{MINILM}-random", "random", MINILM),
}


def audited(on: PreparedData) -> LanguageAudit:
    """Test the differences that an audit asks about."""
    results = [result(row, arm, on) for row, arm in AUDITED.items()]
    about = {"dataset": DATASET, "model": "sasrec", "preset": "full"}
    return measure(results, about, n_looks=n_looks(DATASET))


def result(row: str, arm: Arm, on: PreparedData) -> ArmResult:
    """Read a row's trainings: their ranks, and what validation said of them."""
    files = files_of(row)
    kept = [json.loads((RESULTS / DATASET / f"{f.stem}.json").read_text("utf-8")) for f in files]
    width = ARMS["minilm"].embedding.dim if arm.has_text else 0
    return ArmResult(
        arm=arm,
        setting=Setting(RECIPE.architecture.dropout, dim=width),
        n_tried=1,
        at_edge=[],
        val_ndcg=float(np.mean([one["ndcg_at_10"] for one in kept])),
        targets_per_cpu_second=float(np.mean([one[SPEED] for one in kept])),
        run_ids=[f.stem for f in files],
        tables=tuple(per_user(f, on) for f in files),
    )


def per_user(ranks: Path, on: PreparedData) -> pd.DataFrame:
    """Put the targets back beside the ranks."""
    table = pd.read_parquet(ranks)
    if not np.array_equal(table["user"], on.test.users):
        raise SystemExit(f"{ranks.name} has other users than the test part.")
    counts = np.bincount(on.train.items, minlength=on.catalog.n_items + 1)[on.test.targets]
    return table.assign(target=on.test.targets, target_popularity=counts)


def main() -> None:
    """Write the page, and its verdict to the terminal."""
    page = Path(sys.argv[1] if len(sys.argv) > 1 else "build/language.html")
    found = audited(data())
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_language_audit(found, "the trainings in benchmarks/results"), "utf-8")
    print(f"{language_markdown(found)}\n\n{page}")


if __name__ == "__main__":
    main()
