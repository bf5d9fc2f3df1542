"""How far a shift can bring new items, were they known as well as all others.

    python -m benchmarks.new_items_bound     # five minutes of a core; trains one student of ids

An eighth of Beauty's items is called new, though the student has trained on all of them: no text
can say more of an item than its interactions do. They are then weighed against the others as real
new items are. What they lose on the way from a list of their own into the whole catalog is lost to
the protocol, not to the model. Validation only.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from benchmarks.language import ARMS, DATASET, WORK, data
from benchmarks.pages import Block
from recdistill.evaluation import Calibration, calibrate_new_items
from recdistill.training import fit_student

FILE = Path(__file__).parent / "results" / "language" / f"{DATASET}-new-items-bound.json"
N_DRAWS = 8
KEPT_BY_KNOWN = (0.98, 0.95, 0.9, 0.8)  # of the NDCG@10 that known targets have alone


def measure() -> dict[str, object]:
    """Call several random eighths new in turn."""
    on = data()
    at = WORK / "checkpoints" / "id-s0"
    model = fit_student(ARMS["id"].recipe(), on, seed=0, checkpoint_folder=at).recommender
    draws = []
    for draw in range(N_DRAWS):
        shuffled = 1 + np.random.default_rng(draw).permutation(on.catalog.n_items)
        new = np.zeros(on.catalog.n_items + 1, bool)
        new[shuffled[: on.catalog.n_items // 8]] = True
        found = calibrate_new_items(model, on.val, new, seed=draw)
        draws.append(
            {"known_alone": found.known_alone, "new_alone": found.new_alone}
            | {"by_shift": [shares(found, kept) for kept in KEPT_BY_KNOWN]}
            | {"unshifted": at_their_own(found), "loss_at_half": loss_at_half(found)}
        )
        print(draws[-1], flush=True)
    return {"draws": draws}


def shares(found: Calibration, kept: float) -> dict[str, float]:
    """Say which share of their own figure new items reach where known ones keep so much."""
    known = np.array([point.known for point in found.curve]) / found.known_alone
    new = np.array([point.new for point in found.curve]) / found.new_alone
    # Between two shifts that were tried; known targets lose with every shift upwards.
    return {"known": kept, "new": float(np.interp(-kept, -known, new))}


def at_their_own(found: Calibration) -> dict[str, float]:
    """Say the same of the scores as the model gives them."""
    point = min(found.curve, key=lambda point: abs(point.shift))
    return {"known": point.known / found.known_alone, "new": point.new / found.new_alone}


def loss_at_half(found: Calibration) -> float:
    """Say what known targets lose where new ones reach half of their own figure."""
    known = [1 - point.known / found.known_alone for point in found.curve]
    return float(np.interp(0.5, [point.new / found.new_alone for point in found.curve], known))


def blocks() -> list[Block]:
    """Make the page's table: means over the draws, and their range."""
    if not FILE.is_file():
        return []
    draws = json.loads(FILE.read_text("utf-8"))["draws"]
    lines = [
        "| known targets keep of their NDCG@10 | new targets reach of theirs | least | most |",
        "|---:|---:|---:|---:|",
    ]
    for place, kept in enumerate(KEPT_BY_KNOWN):
        reached = [draw["by_shift"][place]["new"] for draw in draws]
        lines.append(row(f"{kept:.0%}", reached))
    own = [draw["unshifted"] for draw in draws]
    kept = float(np.mean([one["known"] for one in own]))
    lines.append(row(f"{kept:.1%} (no shift)", [one["new"] for one in own]))
    losses = [draw["loss_at_half"] for draw in draws]
    lines += [
        "",
        f"{len(draws)} random eighths. Half of their own figure costs the known targets "
        f"{np.mean(losses):.1%} of theirs ({min(losses):.1%} to {max(losses):.1%}).",
    ]
    return [
        Block("docs/research/language.md", f"new items bound {DATASET}", "\n".join(lines)),
    ]


def row(words: str, shares: list[float]) -> str:
    figures = (float(np.mean(shares)), min(shares), max(shares))
    return f"| {words} | {' | '.join(f'{figure:.0%}' for figure in figures)} |"


def main() -> None:
    """Measure, keep, show."""
    FILE.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    for block in blocks():
        print(block.text)


if __name__ == "__main__":
    main()
