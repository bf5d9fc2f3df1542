"""How much cheaper one forward per user is than one prompt per target, and what the gate costs.

    python -m benchmarks.teacher_speed

Trains nothing: it times forward and backward of the same language model on the same users of
ML-100K and writes ``benchmarks/results/teacher_speed.json``. The reference is iLoRA's prompt, one
per target: ten titles of history with slots, twenty candidate titles with slots, the target's
title as the answer. Export is timed against scoring the same positions one prompt each, once with
the whole history (the same scores come out) and once with the ten newest items only.

All measurements take turns, round after round, and a ratio is the median of the rounds' ratios:
whatever else the machine does meets both sides alike. Times are CPU seconds of the process on one
thread (wall seconds on a GPU).
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.data import DataConfig, Sequences, prepare
from recdistill.memory import watch_step
from recdistill.students import StudentConfig, build_student
from recdistill.teachers import (
    GenerativeTeacher,
    LoraSettings,
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
    from collections.abc import Callable, Mapping

    from recdistill.teachers import LLM
    from recdistill.teachers._settings import AdapterKind, Prompt

ON_GPU = torch.cuda.is_available()
RESULT = Path(__file__).parent / "results" / "teacher_speed.json"


def clock() -> float:
    if not ON_GPU:
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def take_turns(works: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time each work once per round, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for round_ in range(rounds + 1):
        for name in list(works) if round_ % 2 else reversed(list(works)):
            start = clock()
            works[name]()
            if round_:
                taken[name].append(clock() - start)
    return taken


def ratio(over: list[float], under: list[float]) -> float:
    """Median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


class Bench:
    """One language model and a few users of ML-100K."""

    def __init__(self, n_layers: int, n_users: int) -> None:
        self.data = prepare(DataConfig())
        self.n_layers = n_layers
        # Users of middling history: neither the cheapest nor the dearest.
        lengths = self.data.train.lengths
        middle = np.argsort(np.abs(lengths - np.median(lengths)), kind="stable")
        self.histories = self.data.train.take(middle[:n_users])

    def network(
        self, prompt: Prompt = "compact", kind: AdapterKind = "ilora", dropout: float = 0.1
    ) -> tuple[TeacherNetwork, LLM]:
        """Build a teacher on an untrained baseline, and its language model."""
        torch.manual_seed(0)
        config = StudentConfig(max_length=100)
        student = build_student(config, self.data.catalog.n_items, seed=0)
        llm = load_llm("smollm2-135m", n_layers=self.n_layers)
        settings = TeacherSettings(
            prompt=prompt, adapter=kind, lora=LoraSettings(dropout=dropout), max_length=100
        )
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
                (weighted_logsumexp(states, table, weights) - hits).backward()  # type: ignore[no-untyped-call]
            network.zero_grad(set_to_none=True)

        return step, len(targets)

    def prompted_step(
        self, network: TeacherNetwork, llm: LLM, n_candidates: int, n_rows: int
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
                teacher.loss(prompts).backward()  # type: ignore[no-untyped-call]
            network.zero_grad(set_to_none=True)

        return step, n_rows

    def targets(self, n_rows: int, n_history: int = 10) -> tuple[Sequences, np.ndarray]:
        """Targets spread evenly over the histories, each with up to so many items before it."""
        rows, targets = [], []
        for k in range(n_rows):
            items = self.histories.row(k % len(self.histories))
            position = 10 + (7 * k) % (len(items) - 10)
            rows.append(items[max(position - n_history, 0) : position].tolist())
            targets.append(items[position])
        return Sequences.from_lists(rows), np.array(targets, np.int32)

    def prefixes(self, n_rows: int) -> Sequences:
        """Whole histories before positions spread evenly over all of them."""
        ends = [(u, p) for u in range(len(self.histories)) for p in range(1, self.lengths[u])]
        chosen = [ends[int(k)] for k in np.linspace(0, len(ends) - 1, n_rows)]
        return Sequences.from_lists([self.histories.row(u)[:p].tolist() for u, p in chosen])

    @property
    def lengths(self) -> np.ndarray:
        """Items of each user's history."""
        return self.histories.lengths


def training_speed(bench: Bench, options: argparse.Namespace) -> dict[str, float]:
    """Supervised positions per second, packed and one prompt each."""
    works, n_positions = {}, {}
    network, llm = bench.network("hybrid")
    for name, n_candidates in (("prompted_20_candidates", 20), ("prompted_no_candidates", 0)):
        step, n_positions[name] = bench.prompted_step(network, llm, n_candidates, options.rows)
        works[name] = step
    works["hybrid"], n_positions["hybrid"] = bench.packed_step(network)
    works["compact"], n_positions["compact"] = bench.packed_step(bench.network("compact")[0])
    taken = take_turns(works, options.rounds)
    each = {name: [t / n_positions[name] for t in times] for name, times in taken.items()}
    found = {f"{n}_positions_per_second": 1 / statistics.median(t) for n, t in each.items()}
    for prompt in ("hybrid", "compact"):
        for reference in ("20_candidates", "no_candidates"):
            found[f"{prompt}_over_{reference}"] = ratio(each[f"prompted_{reference}"], each[prompt])
    return found


def export_speed(bench: Bench, options: argparse.Namespace) -> dict[str, float]:
    """Positions scored per second: a whole history per forward, and one prompt per position."""
    network, _ = bench.network("compact")
    scorer = TeacherRecommender(network, bench.data.catalog.digest)
    whole, newest = bench.prefixes(4 * options.rows), bench.targets(8 * options.rows)[0]
    works: dict[str, Callable[[], object]] = {
        "packed": lambda: list(scorer.score_positions(bench.histories)),
        "per_prompt": lambda: scorer.score(whole),
        "per_prompt_of_10": lambda: scorer.score(newest),
    }
    n_positions = {
        "packed": int((bench.lengths - 1).sum()),
        "per_prompt": len(whole),
        "per_prompt_of_10": len(newest),
    }
    taken = take_turns(works, options.rounds)
    each = {name: [t / n_positions[name] for t in times] for name, times in taken.items()}
    found = {f"export_{n}_positions_per_second": 1 / statistics.median(t) for n, t in each.items()}
    found["export_over_per_prompt"] = ratio(each["per_prompt"], each["packed"])
    found["export_over_per_prompt_of_10"] = ratio(each["per_prompt_of_10"], each["packed"])
    found["export_mean_history"] = float(whole.lengths.mean())
    return found


def gate_cost(bench: Bench, options: argparse.Namespace) -> dict[str, float]:
    """Step time and peak memory of gated over plain LoRA of the same rank, without dropout."""
    networks = {kind: bench.network(kind=kind, dropout=0.0)[0] for kind in ("lora", "ilora")}
    steps = {kind: bench.packed_step(network)[0] for kind, network in networks.items()}
    taken = take_turns(steps, 2 * options.rounds)
    peaks = {kind: watch_step(networks[kind], step) for kind, step in steps.items()}
    return {
        "gated_over_plain_lora_time": ratio(taken["ilora"], taken["lora"]),
        "gated_over_plain_lora_memory": peaks["ilora"] / peaks["lora"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--llm_layers", type=int, default=4)
    parser.add_argument("--users", type=int, default=6)
    parser.add_argument("--rows", type=int, default=4, help="prompts per step of the reference")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", default="training,export,gate")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(options.llm_layers, options.users)
    parts = {"training": training_speed, "export": export_speed, "gate": gate_cost}
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    for name in options.parts.split(","):
        measured = parts[name](bench, options)
        print(json.dumps(measured, indent=1), flush=True)
        found[name] = {
            "command": shlex.join(["python", "-m", "benchmarks.teacher_speed", *sys.argv[1:]]),
            "date": datetime.now(UTC).date().isoformat(),
            "device": torch.cuda.get_device_name() if ON_GPU else "CPU, one thread",
            "llm": f"smollm2-135m, {options.llm_layers} layers",
            "mean_history": float(bench.lengths.mean()),
            **{key: round(value, 3) for key, value in measured.items()},
        }
        RESULT.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
