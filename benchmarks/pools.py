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
from recdistill.evaluation import bootstrap_interval, expected_outcome
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.lessons import comparable, stack
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
FACTORS = (0.0, 0.3, 0.6, 1.5, 2.5)
ROUNDS = 2
Weights = dict[str, float]


class Judge:
    """Members' comparable scores of some users, and what a weighted sum of them ranks.

    Parameters
    ----------
    members : dict of Recommender
    cases : Cases
    """

    def __init__(self, members: dict[str, Recommender], cases: Cases) -> None:
        self.targets = torch.from_numpy(cases.targets.astype(np.int64))
        rows, _ = cases.history.keys()
        self.terms = {name: _scores(model, cases) for name, model in members.items()}
        n_columns = next(iter(self.terms.values())).shape[1]
        self.hidden = torch.zeros(len(self.targets), n_columns, dtype=torch.bool)
        self.hidden[torch.from_numpy(rows), torch.from_numpy(cases.history.items).long()] = True
        self.hidden[torch.arange(len(self.targets)), self.targets] = False

    def ndcg(self, weights: Weights) -> NDArray[np.float64]:
        """NDCG@10 of every user under a pool."""
        return expected_outcome(*self._counts(weights), "ndcg", 10)

    def hits(self, weights: Weights) -> NDArray[np.float64]:
        """Recall@10 of every user under a pool."""
        return expected_outcome(*self._counts(weights), "recall", 10)

    def _counts(self, weights: Weights) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        above, tied = [], []
        for start in range(0, len(self.targets), 1000):
            part = slice(start, start + 1000)
            total = sum(w * self.terms[name][part].float() for name, w in weights.items() if w)
            assert isinstance(total, torch.Tensor)
            total = total.masked_fill(self.hidden[part], -torch.inf)  # [users, n_items + 1]
            own = total.gather(1, self.targets[part, None])  # [users, 1]
            above.append((total > own).sum(1).numpy())
            tied.append((total == own).sum(1).numpy() - 1)
        return np.concatenate(above), np.concatenate(tied)


def _scores(model: Recommender, cases: Cases) -> torch.Tensor:
    """Score in comparable terms and half precision, shape [n_cases, n_items + 1]."""
    parts = []
    with torch.inference_mode():
        for start in range(0, len(cases.targets), 500):
            rows = np.arange(start, min(start + 500, len(cases.targets)))
            scores = model.score(cases.history.take(rows)).float()
            parts.append(comparable(model, scores).half())
    return torch.cat(parts)


def by_likelihood(judge: Judge, names: Iterable[str]) -> Weights:
    """Weigh as `make_transfer_set` does."""
    names = list(names)
    found, _ = stack([judge.terms[n].float() for n in names], judge.targets, judge.hidden)
    return dict(zip(names, found, strict=True))


def by_ndcg(judge: Judge, start: Weights) -> Weights:
    """Climb from ``start``, one weight at a time, to the best mean NDCG@10."""
    best, weights = float(judge.ndcg(start).mean()), dict(start)
    step = max(start.values())
    for _ in range(ROUNDS):
        for name in weights:
            base = weights[name] or step / 4
            for factor in FACTORS:
                tried = weights | {name: base * factor}
                value = float(judge.ndcg(tried).mean()) if any(tried.values()) else 0.0
                if value > best + 1e-6:
                    best, weights = value, tried
    return weights


def measure() -> dict[str, object]:
    """Weigh on some users, judge on others."""
    on = data()
    members = {name: member(name, on) for name in MEMBERS}
    users = np.random.default_rng(0).permutation(len(on.val.targets))[: N_WEIGHED + N_JUDGED]
    weighing, judging = (
        Judge(members, take(on.val, np.sort(part)))
        for part in (users[:N_WEIGHED], users[N_WEIGHED:])
    )
    judged = np.sort(users[N_WEIGHED:])
    counts = np.bincount(on.train.items, minlength=on.catalog.n_items + 1)[on.val.targets[judged]]
    found: dict[str, object] = {}
    hits = {name: judging.hits({name: 1.0}) for name in MEMBERS}
    for name in MEMBERS:
        found[name] = figures(judging.ndcg({name: 1.0}), hits[name], counts)
    gained: dict[str, NDArray[np.float64]] = {}
    for words, names in SETS.items():
        likely = by_likelihood(weighing, names)
        starts = (likely, dict.fromkeys(names, 1.0))
        climbed = [by_ndcg(weighing, start) for start in starts]
        chosen = max(climbed, key=lambda weights: float(weighing.ndcg(weights).mean()))
        # Only the ratios of the weights matter to ranks: a climb's sum means nothing.
        scale = sum(likely.values()) / sum(chosen.values())
        halfway = {name: (likely[name] + scale * chosen[name]) / 2 for name in names}
        ways = {"likelihood": likely, "NDCG": chosen, "halfway": halfway}
        for way, weights in ways.items():
            ndcg = judging.ndcg(weights)
            rounded = {name: round(w, 3) for name, w in weights.items()}
            row = figures(ndcg, judging.hits(weights), counts) | {"weights": rounded}
            found[f"{words}, by {way}"] = row
            gained[f"{words}, by {way}"] = ndcg
            print(words, way, row, flush=True)
    for words, ndcg in gained.items():
        members_said, way = words.rsplit(", by ", 1)
        control = CONTROLS.get(members_said, "ids of all kinds")
        found[words] |= over(ndcg - gained[f"{control}, by {way}"], control)  # type: ignore[operator]
    found["jaccard"] = {
        f"{a} and {b}": round(jaccard(hits[a], hits[b]), 3) for a, b in combinations(MEMBERS, 2)
    }
    found["oracle_recall"] = float(np.max(list(hits.values()), axis=0).mean())
    return found


def over(difference: NDArray[np.float64], control: str) -> dict[str, object]:
    """Say what a pool gains over its control, by the users alone."""
    low, high = bootstrap_interval(difference)
    return {"control": control, "over": float(difference.mean()), "low": low, "high": high}


def jaccard(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Share of the users whom either hits that both hit."""
    return float((one * other).sum() / np.maximum(one, other).sum())


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
        return fit_floor(name, on.train, on.catalog)  # type: ignore[arg-type]
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
