"""How much cheaper one forward per user is than one prompt per target, and what the gate costs.

python -m benchmarks.teacher_speed --llm_layers 4 --users 12

Trains nothing: it times forward and backward of the same language model on the same users of
ML-100K. The reference is iLoRA's prompt, one per target: ten titles of history with slots, twenty
candidate titles with slots, the target's title as the answer. Times are CPU seconds of the
process on one thread (wall seconds on a GPU), so a busy machine distorts them little.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.data import DataConfig, Sequences, prepare
from recdistill.students import StudentConfig, build_student
from recdistill.teachers import (
    AdapterSettings,
    GenerativeTeacher,
    TeacherNetwork,
    TeacherRecommender,
    TeacherSettings,
    draw_candidates,
    load_llm,
    training_windows,
)
from recdistill.teachers._windows import make_batch
from recdistill.training import weighted_logsumexp

if TYPE_CHECKING:
    from collections.abc import Callable

ON_GPU = torch.cuda.is_available()


def clock() -> float:
    if not ON_GPU:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def seconds(work: Callable[[], object], repeats: int) -> float:
    work()
    taken = []
    for _ in range(repeats):
        start = clock()
        work()
        taken.append(clock() - start)
    return statistics.median(taken)


class Bench:
    """One language model and a few users of ML-100K."""

    def __init__(self, n_layers: int, n_users: int) -> None:
        self.data = prepare(DataConfig())
        self.llm_args = {"n_layers": n_layers}
        # Users of middling history: neither the cheapest nor the dearest.
        lengths = self.data.train.lengths
        middle = np.argsort(np.abs(lengths - np.median(lengths)), kind="stable")
        self.histories = self.data.train.take(middle[:n_users])

    def network(self, prompt: str = "compact", kind: str = "ilora", dropout: float = 0.1) -> tuple:
        """Build a teacher on an untrained baseline, and its language model."""
        torch.manual_seed(0)
        config = StudentConfig(max_length=100)
        student = build_student(config, self.data.catalog.n_items, seed=0)
        llm = load_llm("smollm2-135m", **self.llm_args)
        adapter = AdapterSettings(kind=kind, dropout=dropout)
        settings = TeacherSettings(prompt=prompt, adapter=adapter, max_length=100)
        network = TeacherNetwork(student, llm, self.data.catalog, settings)
        network.to("cuda" if ON_GPU else "cpu").train()
        return network, llm

    def packed_step(self, network: TeacherNetwork) -> tuple[Callable[[], None], int]:
        """Return a step over everybody's newest window, and how many positions it trains."""
        windows = training_windows(self.histories, network.max_length, "newest")
        batch = make_batch(self.histories, windows).to(network.device)
        at = batch.targets.nonzero(as_tuple=True)
        targets = batch.targets[at] - 1

        def step() -> None:
            with network.held_gate():
                states = network.encode(batch.items)[at].float()
                table = network.item_table()[1:].float()
                weights = states.new_full((len(states),), 1 / len(states))
                hits = (states * table[targets]).sum() / len(states)
                (weighted_logsumexp(states, table, weights) - hits).backward()
            network.zero_grad(set_to_none=True)

        return step, len(targets)

    def prompted_step(
        self, network: TeacherNetwork, llm: object, n_candidates: int, n_rows: int
    ) -> tuple[Callable[[], None], int]:
        """Return a step of the reference, one prompt per target."""
        teacher = GenerativeTeacher(network, llm.tokenizer, self.data.catalog)
        histories, targets = self.targets(n_rows)
        if n_candidates:
            candidates = draw_candidates(
                histories, targets, self.data.catalog.n_items, n_candidates=n_candidates
            )
        else:
            candidates = np.zeros((n_rows, 0), np.int32)
        prompts = teacher.write(histories, candidates, targets)

        def step() -> None:
            with network.held_gate():
                teacher.loss(prompts).backward()
            network.zero_grad(set_to_none=True)

        return step, n_rows

    def targets(self, n_rows: int) -> tuple[Sequences, np.ndarray]:
        """Targets spread evenly over the histories, each with its ten items before it."""
        rows, targets = [], []
        for k in range(n_rows):
            items = self.histories.row(k % len(self.histories))
            position = 10 + (7 * k) % (len(items) - 10)
            rows.append(items[position - 10 : position].tolist())
            targets.append(items[position])
        return Sequences.from_lists(rows), np.array(targets, np.int32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llm_layers", type=int, default=4)
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--rows", type=int, default=8, help="prompts per step of the reference")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(args.llm_layers, args.users)
    found: dict[str, float] = {"llm_layers": args.llm_layers}

    network, llm = bench.network("hybrid")
    for name, n_candidates in (("prompted_20_candidates", 20), ("prompted_no_candidates", 0)):
        step, n = bench.prompted_step(network, llm, n_candidates, args.rows)
        found[f"{name}_positions_per_second"] = n / seconds(step, args.repeats)
    for prompt in ("hybrid", "compact"):
        network, llm = bench.network(prompt)
        step, n = bench.packed_step(network)
        found[f"{prompt}_positions_per_second"] = n / seconds(step, args.repeats)
        for reference in ("20_candidates", "no_candidates"):
            base = found[f"prompted_{reference}_positions_per_second"]
            found[f"{prompt}_over_{reference}"] = found[f"{prompt}_positions_per_second"] / base

    # Scoring for export: every position of a user in one forward, against one prompt each.
    network, llm = bench.network("compact")
    scorer = TeacherRecommender(network, bench.data.catalog.digest)
    n = int((bench.histories.lengths - 1).sum())
    found["export_positions_per_second"] = n / seconds(
        lambda: list(scorer.score_positions(bench.histories)), args.repeats
    )
    rows, _ = bench.targets(4 * args.rows)
    found["export_per_prompt_positions_per_second"] = len(rows) / seconds(
        lambda: scorer.score(rows), args.repeats
    )

    # Without dropout, whose cost is the same on both sides; the steps take turns.
    steps = {
        kind: bench.packed_step(bench.network(kind=kind, dropout=0.0)[0])[0]
        for kind in ("lora", "ilora")
    }
    taken = {kind: [seconds(step, 1) for _ in range(args.repeats)] for kind, step in steps.items()}
    found["gated_over_plain_lora"] = statistics.median(taken["ilora"]) / statistics.median(
        taken["lora"]
    )
    print(json.dumps(found, indent=1))
    if args.output:
        args.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
