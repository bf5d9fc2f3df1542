"""What `embed_items` costs: Beauty's titles, and a million texts.

    python -m benchmarks.embedding_cost    # some ten minutes of a core

Each case in a process of its own, one thread, imports and the encoder's fit included. The million
texts are titles of eight words drawn by Zipf's law from a hundred thousand.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.pages import Block
from recdistill.data import Catalog, DataConfig, prepare
from recdistill.teachers import cache_root, locate_llm
from recdistill.texts import EmbeddingConfig, TfidfEncoder, TransformerEncoder, embed_items

RESULT = Path(__file__).parent / "results" / "embedding_cost.json"
CASES = {
    "titles, TF-IDF": "Beauty's 12,101 titles, TF-IDF",
    "titles, MiniLM": "Beauty's 12,101 titles, all-MiniLM-L6-v2",
    "million, TF-IDF": "a million texts, TF-IDF",
}
N_WORDS, N_PER_TEXT = 100_000, 8


def a_million() -> Catalog:
    """Make texts of invented words."""
    draw = np.random.default_rng(0)
    letters = draw.integers(97, 123, (N_WORDS, 8), np.uint8)
    words = np.array([bytes(row[: 3 + i % 6]).decode() for i, row in enumerate(letters)])
    drawn = np.minimum(draw.zipf(1.2, (1_000_000, N_PER_TEXT)), N_WORDS) - 1
    texts = [" ".join(words[row]) for row in drawn]
    ids = pd.RangeIndex(1, len(texts) + 1, name="item")
    raw = [f"i{number}" for number in ids]
    return Catalog(pd.DataFrame({"raw_id": raw, "title": texts, "text": texts}, index=ids))


def embed(case: str, folder: Path) -> None:
    """Embed one case's texts with nothing kept from before; print the cost as JSON."""
    which, _, encoder = case.partition(", ")
    if which == "million":
        catalog = a_million()
    else:
        data = cache_root() / "benchmarks" / "embedding"
        catalog = prepare(DataConfig(dataset="amazon-beauty"), data).catalog
    config = EmbeddingConfig()
    began = time.process_time()
    texts = [str(text) for text in catalog.items["text"]]
    made = (
        TfidfEncoder(texts, config.dim)
        if encoder == "TF-IDF"
        else TransformerEncoder.read(locate_llm("all-minilm-l6-v2"), config)
    )
    embed_items(catalog, made, config, folder / "vectors", cache=folder / "cache", about={})
    used = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"cpu_seconds": round(used, 1), "peak_gib": round(peak, 2)}))


def measure() -> dict[str, dict[str, float]]:
    """Run every case in a process of its own."""
    found = {}
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.embedding_cost", case, folder]
            one_thread = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=one_thread
            )
        found[case] = json.loads(done.stdout.splitlines()[-1])
        print(case, found[case], flush=True)
    return found


def blocks() -> list[Block]:
    """Make the page's table."""
    if not RESULT.is_file():
        return []
    found = json.loads(RESULT.read_text("utf-8"))
    lines = ["| texts | CPU seconds | peak memory |", "|---|---|---|"]
    lines += [
        f"| {words} | {found[case]['cpu_seconds']:.0f} | {found[case]['peak_gib']:.2f} GiB |"
        for case, words in CASES.items()
    ]
    return [Block("docs/benchmarks.md", "embedding cost", "\n".join(lines))]


def main() -> None:
    """Measure one case, where it is named, or all."""
    if len(sys.argv) > 1:
        embed(sys.argv[1], Path(sys.argv[2]))
        return
    RESULT.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    for block in blocks():
        print(block.text)


if __name__ == "__main__":
    main()
