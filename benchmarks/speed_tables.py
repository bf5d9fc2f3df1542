"""The tables of docs/benchmarks.md and of the ladder, from single result files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.pages import Block, table

RESULTS = Path(__file__).parent / "results"
PAGE = "docs/benchmarks.md"


def blocks() -> list[Block]:
    """Make the page's tables."""
    made = {
        "training speed": training,
        "evaluation speed": evaluation,
        "teacher training speed": teacher_training,
        "teacher export speed": teacher_export,
        "distillation speed": distillation,
        "two processes": two_processes,
        "serving speed": serving,
        "sweep kills": sweep_kills,
        "sweep pages": sweep_pages,
    }
    tables = [Block(PAGE, mark, make()) for mark, make in made.items()]
    return [*tables, Block("docs/guides/when_the_teacher_is_weak.md", "ladder", ladder())]


def training() -> str:
    """Write targets per CPU second beside those of each peer that was there."""
    data = _read("training_speed")
    peers = [peer for peer in _PEERS if any(peer in found["ratio"] for found in data.values())]
    rows = []
    for dataset, found in data.items():
        speeds = found["targets_per_cpu_second"]
        for positions in (1_600, 12_800):
            own = f"tokens {positions}"
            row = [f"{dataset}, {found['length']}", f"{positions:,}", _rate_of(speeds[own])]
            for peer in peers:
                ratio = found["ratio"].get(peer)
                row += [_rate_of(speeds[peer]), f"{ratio[own]:.1f}"] if ratio else ["", ""]
            rows.append(row)
    head = ["data, history", "positions per batch", "recdistill"]
    return table([*head, *(word for peer in peers for word in (_PEERS[peer], "ratio"))], rows)


def _rate_of(rounds: list[float]) -> str:
    return f"{_middle(rounds):,.0f}"


_PEERS = {"rectools": "RecTools", "replay": "RePlay", "recbole": "RecBole"}


def evaluation() -> str:
    """Write users per CPU second beside the peer's."""
    found = {name: f for name, f in _read("evaluation_speed").items() if isinstance(f, dict)}
    rows = [
        [name, f"{f['recdistill']:,.0f}", f"{f['rectools']:,.0f}", f"{f['ratio']:.1f}"]
        for name, f in found.items()
    ]
    return table(["data", "recdistill", "RecTools", "ratio"], rows)


def teacher_training() -> str:
    """Write supervised positions per second by the form of the prompt."""
    found = _read("teacher_speed")["training"]

    def of(name: str) -> str:
        return f"{found[f'{name}_positions_per_second']:.3g}"

    def over(name: str) -> list[str]:
        return [f"{found[f'{name}_over_{other}']:.3g}" for other in _PROMPTED]

    rows = [
        ["one prompt per target, 20 candidates", of("prompted_20_candidates"), "1", ""],
        ["one prompt per target, no candidates", of("prompted_no_candidates"), "", "1"],
        ["packed, hybrid prompt", of("hybrid"), *over("hybrid")],
        ["packed, compact prompt", of("compact"), *over("compact")],
    ]
    head = ["", "positions per second", "over iLoRA's prompt", "over the same without candidates"]
    return table(head, rows)


_PROMPTED = ("20_candidates", "no_candidates")


def teacher_export() -> str:
    """Write positions scored per second."""
    found = _read("teacher_speed")["export"]
    mean = f"{found['export_mean_history']:.0f}"
    names = {
        "one forward per history": "packed",
        f"one prompt per position, whole history ({mean} items on average)": "per_prompt",
        "one prompt per position, ten newest items": "per_prompt_of_10",
    }
    rows = [
        [said, f"{found[f'export_{name}_positions_per_second']:.4g}"]
        for said, name in names.items()
    ]
    return table(["", "positions per second"], rows)


def distillation() -> str:
    """Write what each term costs over the baseline."""
    ratios = _read("distillation_speed")["ml-100k"]["ratio"]
    said = {
        "listwise, 30 items and a tail": "listwise, 30 items and a tail (the default)",
        "listwise, 30 items": "listwise, 30 items",
        "ranking": "ranking, 30 items, 8 negatives",
        "dros": "DROS",
    }
    rows = [[words, f"{ratios[name]:.2f}"] for name, words in said.items()]
    return table(["term", "time over the baseline's"], rows)


def two_processes() -> str:
    """Write what a second process brings, by rounds."""
    rows = [
        [
            f"{int(positions):,}",
            _rate_of(found["targets_per_cpu_second_of_one"]),
            _rounds(found["speed_up_by_cpu"]),
            _rounds(found["speed_up_by_clock"]),
        ]
        for positions, found in _read("devices")["batches"].items()
    ]
    head = ["positions per batch", "targets per CPU second, one process"]
    return table([*head, "speed-up by CPU time, each round", "by the clock"], rows)


def _rounds(ratios: list[float]) -> str:
    return ", ".join(f"{ratio:.2f}" for ratio in ratios)


def serving() -> str:
    """Write how fast a student is served."""
    found = _read("serving_speed")

    def pair(at: dict[str, Any]) -> str:
        return f"{at['p50_ms']:.1f} / {at['p99_ms']:.1f} ms"

    rows = [
        ["one user over HTTP, p50 / p99", *(pair(f["http"]["batch_1"]) for f in found.values())],
        ["one user in process, p50 / p99", *(pair(f["in_process"]) for f in found.values())],
        ["HTTP, batches of 256", *(_rate(f["http"]["batch_256"]) for f in found.values())],
        ["batch scorer, its start included", *(_rate(f["batch_scorer"]) for f in found.values())],
    ]
    names = [f"{name}, histories of {f['history_length']}" for name, f in found.items()]
    return table(["", *names], rows)


def sweep_kills() -> str:
    """Write what ten kills left behind."""
    found = _read("sweep_kills")
    n_agree = found["n_runs"] if found["mlflow_agrees"] else "fewer"
    places = f"{found['n_finished_once']}, {found['n_lost']}, {found['n_doubled']}"
    rows = [
        ["places finished once, lost, finished twice", places],
        ["attempts that a kill cut short, done again", str(found["states"]["retried"])],
        [
            "runs in MLflow that agree with Optuna after `reconcile`",
            f"{n_agree} of {found['n_runs']}",
        ],
        ["by the clock, restart included", f"{found['wall_seconds']:.0f} s"],
    ]
    return table(["", ""], rows)


def sweep_pages() -> str:
    """Write how long the sweep's pages take to open."""
    found = _read("sweep_pages")
    size = f"{found['summary_kilobytes'] / 1000:.1f} MB"
    said = {
        "run": "the sweep's run in MLflow, its newest children listed",
        "children": "the view *Sweep trials*, best on top",
        "summary": f"`sweep.html` ({size}, no network), four plots drawn",
    }
    rows = [
        [words, ", ".join(f"{s:.1f}" for s in found["seconds"][name])]
        for name, words in said.items()
    ]
    return table(["Page", "seconds, three visits"], rows)


def ladder() -> str:
    """Write what each rung of one diagnosis did, over users alone: one training a rung."""
    rows = []
    for rung in _read("ladder")["rungs"]:
        effect = f"{rung['effect']:+.4f}"
        if rung["low"] is not None:
            effect += f" [{rung['low']:+.4f}, {rung['high']:+.4f}]"
        row = [f"`{rung['rung']}`", rung["against"], f"{rung['ndcg_at_10']:.4f}", effect]
        rows.append([*row, f"{rung['p']:g}"])
    head = ["Rung", "against", "NDCG@10", "effect [95 %]", "p (these two models)"]
    return table(head, rows)


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _rate(found: dict[str, Any]) -> str:
    return f"{found['users_per_second']:,} users a second"


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
