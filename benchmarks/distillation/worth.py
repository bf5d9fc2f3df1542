"""What each teacher of a pool is worth, on validation: alone, and to the others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.distillation.models import Workshop
from benchmarks.distillation.run import RESULTS, choose
from benchmarks.distillation.settings import SETTINGS
from recdistill.data import DataConfig, prepare
from recdistill.lessons import judge_members, member_scores

if TYPE_CHECKING:
    from pathlib import Path


def measure(dataset: str, state: Path, n_seeds: int | None = None) -> None:
    """Leave each member of every seed's pool out in turn."""
    setting, data = SETTINGS[dataset], prepare(DataConfig(dataset=dataset))
    for seed in range(n_seeds or setting.n_seeds):
        path = RESULTS / dataset / "worth" / f"s{seed}.json"
        if path.is_file():
            continue
        at = state / dataset / f"seed-{seed}"
        shop = Workshop(data, setting, choose(dataset), at, seed)
        members = [shop.member(name, place) for place, name in enumerate(setting.members)]
        found = judge_members(member_scores(members, data, seed=seed), setting.members, seed=seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
        print(seed, *found.sentences(), flush=True)


def table(dataset: str) -> str:
    """Write one line per member, means over the pools, and how alike they are."""
    pools = read(dataset)
    if not pools:
        return "Not measured yet."
    lines = ["| member | alone | added to the others | least | most |", "|---|---|---|---|---|"]
    for place, one in enumerate(pools[0]["members"]):
        alone, adds = (
            [pool["members"][place][name] for pool in pools] for name in ("ndcg_at_10", "adds")
        )
        cells = [one["name"], f"{np.mean(alone):.4f}", f"{np.mean(adds):+.4f}"]
        cells += [f"{end(adds):+.4f}" for end in (min, max)]
        lines.append(f"| {' | '.join(cells)} |")
    together, by_ndcg, oracle = (
        float(np.mean([pool[name] for pool in pools]))
        for name in ("ndcg_at_10", "ndcg_at_10_by_ndcg", "oracle_recall_at_10")
    )
    alike = {
        names: float(np.mean([pool["overlap"][names] for pool in pools]))
        for names in pools[0]["overlap"]
    }
    least, most = (end(alike, key=alike.__getitem__) for end in (min, max))
    return "\n".join(
        [
            *lines,
            "",
            f"NDCG@10 of {pools[0]['n_cases']:,} validation cases, means over {len(pools)} pools; "
            f"the pool {together:.4f}, and {by_ndcg:.4f} weighed by NDCG@10. At least one member "
            f"has the target among its ten in {oracle:.1%} of the cases. Most alike in what they "
            f"hit (Jaccard): {most}, {alike[most]:.2f}; least: {least}, {alike[least]:.2f}.",
        ]
    )


def read(dataset: str) -> list[dict[str, Any]]:
    """Read what was measured, by seed."""
    paths = sorted((RESULTS / dataset / "worth").glob("s*.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]
