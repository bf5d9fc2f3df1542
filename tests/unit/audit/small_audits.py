"""Small audits of real per-user tables: arms whose strength is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from recdistill.audit import Arm, ArmResult, LanguageAudit, Setting, arms_of, measure

N_USERS, N_ITEMS = 1200, 400


def table(strength: float, seed: int, *, popular: float = 0.0) -> pd.DataFrame:
    """Ranks of one training; users and their targets stay the same in every table.

    ``popular`` is further strength for targets that training saw 20 times or more.
    """
    people = np.random.default_rng(3)
    hardness = people.normal(size=N_USERS)
    target = people.integers(1, N_ITEMS + 1, N_USERS).astype(np.int32)
    seen = np.random.default_rng(5).integers(0, 40, N_ITEMS + 1)[target]
    noise = np.random.default_rng(seed).normal(size=N_USERS) * 0.4
    strong = strength + popular * (seen >= 20)
    above = np.minimum(60 * np.exp(hardness + noise - strong), N_ITEMS - 1).astype(np.int32)
    frame = pd.DataFrame(
        {
            "user": np.arange(N_USERS),
            "target": target,
            "target_popularity": seen,
            "n_above": above,
            "n_tied": np.zeros(N_USERS, np.int32),
        }
    )
    frame.attrs = {"protocol": "p", "catalog_digest": "c", "cases_digest": "d"}
    return frame


ARMS = {arm.name: arm for arm in arms_of(["minilm"], {})}


def result(arm: Arm, strength: float, *, n: int = 3, popular: float = 0.0, **changed) -> ArmResult:
    seeds = [sum(map(ord, arm.name)) * 100 + i for i in range(n)]
    facts = {
        "setting": Setting(0.5, dim=128 if arm.has_text else 0),
        "n_tried": 2,
        "at_edge": [],
        "val_ndcg": strength,
        "targets_per_cpu_second": 1000.0,
        "run_ids": [f"{arm.name}-{i}" for i in range(n)],
    }
    tables = tuple(table(strength, seed, popular=popular) for seed in seeds)
    return ArmResult(arm=arm, tables=tables, **(facts | changed))


def audited(strengths: dict[str, float], **options) -> LanguageAudit:
    """Measure arms of these strengths; ids, tfidf, minilm, minilm-random, minilm-permuted."""
    given = dict.fromkeys(ARMS, 0.5) | strengths
    results = [result(ARMS[name], given[name], **options.get(name, {})) for name in ARMS]
    return measure(results, {"dataset": "tiny", "model": "sasrec", "preset": "full"}, n_looks=15)
