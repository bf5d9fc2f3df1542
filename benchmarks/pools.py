"""What each teacher is worth to a pool on sparse data, and by what to weigh them.

    python -m benchmarks.pools     # some ten minutes of a core after `benchmarks.language run`

Networks are those of `benchmarks.language` (trained before, validation only). A part of the
validation users weighs the members, by the targets' likelihood or by NDCG@10; the others judge.
Test data is never read.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from benchmarks.language import ARMS, DATASET, STRATA, WORK, data, vectors
from benchmarks.pages import Block
from recdistill.data import Cases
from recdistill.evaluation import bootstrap_interval
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.lessons import MemberScores, comparable, overlap_of_hits, weigh_by_ndcg
from recdistill.training import fit_student

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender

FILE = Path(__file__).parent / "results" / "pools" / f"{DATASET}.json"
IDS = ("id", "knn", "counter", "ease")
SECOND = "id, second seed"
MEMBERS = (*IDS, SECOND, "minilm", "tfidf-128", "tfidf")
SETS = {
    "ids of all kinds": IDS,
    "and ids of a second seed": (*IDS, SECOND),
    "and id+MiniLM": (*IDS, "minilm"),
    "and id+TF-IDF": (*IDS, "tfidf-128"),
    "and cosine of TF-IDF": (*IDS, "tfidf"),
    "and cosine, ids of a second seed": (*IDS, "tfidf", SECOND),
    "and cosine, id+MiniLM": (*IDS, "tfidf", "minilm"),
    "and cosine, id+TF-IDF": (*IDS, "tfidf", "tfidf-128"),
    "all members": MEMBERS,
    "networks of ids, two seeds": ("id", SECOND),
    "networks of ids and id+MiniLM": ("id", "minilm"),
    "networks of ids and id+TF-IDF": ("id", "tfidf-128"),
}
# A network of ids more is what a network with texts must beat: both add a network.
CONTROLS = {
    "and id+MiniLM": "and ids of a second seed",
    "and id+TF-IDF": "and ids of a second seed",
    "and cosine, id+MiniLM": "and cosine, ids of a second seed",
    "and cosine, id+TF-IDF": "and cosine, ids of a second seed",
    "networks of ids and id+MiniLM": "networks of ids, two seeds",
    "networks of ids and id+TF-IDF": "networks of ids, two seeds",
}
N_WEIGHED, N_JUDGED = 3000, 6000


def scores_of(members: dict[str, Recommender], cases: Cases) -> MemberScores:
    """Ask all members about some users, in half precision: a thousand users take 24 MB each."""
    terms = [_scores(model, cases) for model in members.values()]
    hidden = torch.zeros(terms[0].shape, dtype=torch.bool)
    rows, _ = cases.history.keys()
    hidden[torch.from_numpy(rows), torch.from_numpy(cases.history.items).long()] = True
    return MemberScores(terms, torch.from_numpy(cases.targets.astype(np.int64)), hidden)


def _scores(model: Recommender, cases: Cases) -> torch.Tensor:
    """Score in comparable terms, shape [n_cases, n_items + 1]."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(cases.targets), 500):
            rows = np.arange(start, min(start + 500, len(cases.targets)))
            scores = model.score(cases.history.take(rows)).float()
            parts.append(comparable(model, scores).half())
    return torch.cat(parts)


def of(scores: MemberScores, names: Iterable[str]) -> MemberScores:
    """Return those of some members."""
    terms = [scores.terms[MEMBERS.index(name)].float() for name in names]
    return MemberScores(terms, scores.targets, scores.hidden)


def measure() -> dict[str, object]:
    """Weigh on some users, judge on others."""
    on = data()
    members = {name: member(name, on) for name in MEMBERS}
    users = np.random.default_rng(0).permutation(len(on.val.targets))[: N_WEIGHED + N_JUDGED]
    weighing, judging = (
        scores_of(members, take(on.val, np.sort(part)))
        for part in (users[:N_WEIGHED], users[N_WEIGHED:])
    )
    judged = np.sort(users[N_WEIGHED:])
    counts = np.bincount(on.train.items, minlength=on.catalog.n_items + 1)[on.val.targets[judged]]
    found: dict[str, object] = {}
    hits = {}
    for name in MEMBERS:
        alone = of(judging, [name])
        hits[name] = alone.outcome([1.0], "recall")
        found[name] = figures(alone.outcome([1.0]), hits[name], counts)
    gained: dict[str, NDArray[np.float64]] = {}
    for words, names in SETS.items():
        weighed, asked = of(weighing, names), of(judging, names)
        likely = weighed.weights()
        ways = {
            "likelihood": likely,
            "NDCG": weigh_by_ndcg(weighed, likely, shrink=0.0),
            "halfway": weigh_by_ndcg(weighed, likely),
        }
        for way, weights in ways.items():
            ndcg = asked.outcome(weights)
            rounded = {name: round(w, 3) for name, w in zip(names, weights, strict=True)}
            row = figures(ndcg, asked.outcome(weights, "recall"), counts) | {"weights": rounded}
            found[f"{words}, by {way}"] = row
            gained[f"{words}, by {way}"] = ndcg
            print(words, way, row, flush=True)
    for words, ndcg in gained.items():
        members_said, way = words.rsplit(", by ", 1)
        control = CONTROLS.get(members_said, "ids of all kinds")
        found[words] |= over(ndcg - gained[f"{control}, by {way}"], control)  # type: ignore[operator]
    found["jaccard"] = {
        f"{a} and {b}": round(overlap_of_hits(hits[a], hits[b]), 3)
        for a, b in combinations(MEMBERS, 2)
    }
    found["oracle_recall"] = float(np.max(list(hits.values()), axis=0).mean())
    return found


def over(difference: NDArray[np.float64], control: str) -> dict[str, object]:
    """Say what a pool gains over its control, by the users alone."""
    low, high = bootstrap_interval(difference)
    return {"control": control, "over": float(difference.mean()), "low": low, "high": high}


def figures(
    ndcg: NDArray[np.float64], hits: NDArray[np.float64], counts: NDArray[np.int64]
) -> dict[str, object]:
    """Means over the judging users, and by how often training saw the target."""
    strata = {
        words: float(ndcg[(counts >= low) & (counts < high)].mean())
        for words, (low, high) in STRATA.items()
        if ((counts >= low) & (counts < high)).any()
    }
    return {
        "recall_at_10": float(hits.mean()),
        "ndcg_at_10": float(ndcg.mean()),
        "strata": strata,
    }


def member(name: str, on: PreparedData) -> Recommender:
    """Fit a floor, or take up a network from its checkpoint."""
    if name in FLOOR_KINDS:
        return fit_floor(name, on.train, on.catalog)
    arm_name, seed = ("id", 1) if name == SECOND else (name, 0)
    arm, at = ARMS[arm_name], WORK / "checkpoints" / f"{arm_name}-s{seed}"
    return fit_student(
        arm.recipe(), on, seed=seed, vectors=vectors(arm, on), checkpoint_folder=at
    ).recommender


def take(cases: Cases, rows: NDArray[np.int64]) -> Cases:
    return Cases(cases.users[rows], cases.history.take(rows), cases.targets[rows])


def blocks() -> list[Block]:
    """Make the page's table."""
    if not FILE.is_file():
        return []
    found = json.loads(FILE.read_text("utf-8"))
    head = ["pool or member", "recall@10", "NDCG@10", *STRATA, "gained", "over"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    rows = [
        (name, kept) for name, kept in found.items() if isinstance(kept, dict) and "strata" in kept
    ]
    for name, kept in sorted(rows, key=lambda pair: -pair[1]["ndcg_at_10"]):
        strata = [f"{kept['strata'][s]:.4f}" if s in kept["strata"] else "" for s in STRATA]
        beside = ["", ""]
        if "low" in kept:
            gained = f"{kept['over']:+.4f} [{kept['low']:+.4f}, {kept['high']:+.4f}]"
            beside = [gained, kept["control"]]
        cells = [name, f"{kept['recall_at_10']:.4f}", f"{kept['ndcg_at_10']:.4f}", *strata, *beside]
        lines.append(f"| {' | '.join(cells)} |")
    return [Block("docs/research/language.md", f"pools {DATASET}", "\n".join(lines))]


def main() -> None:
    """Measure, keep, show."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    for block in blocks():
        print(block.text)


if __name__ == "__main__":
    main()
