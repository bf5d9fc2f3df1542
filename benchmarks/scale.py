"""What sizes cost that nobody has run: the tables of docs/scale.md, from measured constants alone.

    python -m benchmarks.tables

Every constant is read from a committed result file; what is assumed (how a cost grows beyond the
largest point that was measured) stands beside its formula here and in words on the page.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.pages import Block, table
from benchmarks.scaling import exponent

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "docs/scale.md"
RESULTS = Path(__file__).parent / "results"
WIDTH = 64  # of the default student
N_VIEWS = 4
TERAFLOPS = 100  # a round number to divide by, not a measurement
GIB = 2**30


@dataclass(frozen=True)
class Log:
    """A log of interactions."""

    name: str
    rows: int
    users: int
    items: int


LOGS = (
    Log("as MovieLens-25M", 25_000_000, 162_000, 62_000),
    Log("a large shop", 100_000_000, 10_000_000, 1_000_000),
    Log("the largest", 1_000_000_000, 100_000_000, 10_000_000),
)
MACHINES = (16, 64, 512)  # GiB


@dataclass(frozen=True)
class Cost:
    """What a stage takes.

    Attributes
    ----------
    hours : float
        Of one core.
    memory, disk : float
        Bytes; 0 where the size of the log says nothing.
    """

    hours: float
    memory: float = 0.0
    disk: float = 0.0


@cache
def _result(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _shape(llm: str) -> dict[str, Any]:
    text = files("recdistill.memory").joinpath("shapes.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)[llm]
    return found


def prepare_bytes_a_row() -> float:
    """Bytes that a further row adds, by the two largest sizes measured."""
    points = _result("prepare_speed")["parquet"]
    (few, small), (many, large) = [(int(n), f["peak_mib"] * 2**20) for n, f in points.items()][-2:]
    return float((large - small) / (many - few))


def prepare_data(log: Log) -> Cost:
    """Grow by the measured exponent from the largest size measured."""
    found = _result("prepare_speed")
    n_rows, point = list(found["parquet"].items())[-1]
    times = (log.rows / int(n_rows)) ** found["parquet_exponent"]
    return Cost(point["cpu_seconds"] * times / 3600, prepare_bytes_a_row() * log.rows)


def _by_rows(case: str, seconds: str) -> Callable[[Log], Cost]:
    def cost(log: Log) -> Cost:
        found = _result("large_catalogs")[case]
        times = log.rows / found["n_interactions"]
        return Cost(found[seconds] * times / 3600, found["peak_gb"] * 1e9 * times)

    return cost


def table_bytes(n_items: int) -> int:
    """Bytes of a default student's item table."""
    return (n_items + 1) * WIDTH * 4


def baseline_epoch(log: Log) -> Cost:
    """Take the rate and the memory over the table of touched rows at the largest catalog."""
    found = _result("large_catalogs")["training 1000000"]["touched-rows"]
    of_table = table_bytes(log.items)
    return Cost(
        log.rows / found["targets_per_cpu_second"] / 3600,
        found["memory_over_table"] * of_table,
        found["checkpoint_over_table"] * of_table,
    )


def full_softmax_seconds(n_items: int) -> float:
    """CPU seconds of a target against the whole catalog: in proportion to it from 20,000 on."""
    points = _result("scaling")["training, full softmax"]["cpu_seconds"]
    largest = max(points, key=int)
    return float(points[largest]) / 1e6 * n_items / int(largest)


def distill_epoch(log: Log) -> Cost:
    """Every view's every position, compared with the whole catalog as the lists ask.

    Every row of the item table is updated in every step, so each has its moments and its average.
    """
    over = _result("distillation_speed")["ml-100k"]["ratio"]["listwise, 30 items and a tail"]
    seconds = N_VIEWS * log.rows * full_softmax_seconds(log.items) * over
    found = _result("large_catalogs")
    lists = found["transfer 50000"]["read_bytes_a_position"] * N_VIEWS * log.rows
    of_table = found["training 1000000"]["every-row"]["memory_over_table"] * table_bytes(log.items)
    return Cost(seconds / 3600, lists + of_table)


def position_bytes() -> tuple[float, float]:
    """Bytes of a position of a transfer set, held while it is made and on disk."""
    found = _result("large_catalogs")["transfer 50000"]
    return found["made_bytes_a_position"], found["disk_bytes_a_position"]


def transfer_set(log: Log) -> Cost:
    """Room alone: the time is the teachers'."""
    held, stored = (n * N_VIEWS * log.rows for n in position_bytes())
    return Cost(0.0, held, stored)


def ranking(log: Log) -> Cost:
    """Rank the catalog for every user: in proportion to users times items; memory is bounded."""
    found = _result("large_catalogs")["evaluation 1000000"]
    pairs = found["users_per_cpu_second"] * 1_000_000
    return Cost(log.users * log.items / pairs / 3600, found["peak_gb"] * 1e9)


def layer_parameters(llm: str, n_layers: int = 0) -> int:
    """Weights of a decoder's layers, through which every token goes."""
    shape = _shape(llm)
    hidden, heads = shape["hidden_size"], shape["num_attention_heads"]
    pairs = hidden * shape["num_key_value_heads"] // heads
    layer = 2 * hidden * hidden + 2 * hidden * pairs + 3 * hidden * shape["intermediate_size"]
    return int(layer * (n_layers or shape["num_hidden_layers"]))


def teacher_flops(log: Log, passes: int) -> float:
    """Two operations a weight and token for each pass; a compact prompt has a token an item."""
    return 2.0 * passes * layer_parameters("llama-2-7b") * log.rows


def cpu_flops() -> float:
    """Operations a CPU second that the measured export of a small teacher came to."""
    found = _result("teacher_speed")["export"]
    name, n_layers, _ = found["llm"].replace(",", "").split()
    rate = found["export_packed_positions_per_second"]
    return float(2 * layer_parameters(name, int(n_layers)) * rate)


STAGES: dict[str, Callable[[Log], Cost]] = {
    "`prepare_data`": prepare_data,
    "a counting floor": _by_rows("counter 200000", "fit_cpu_seconds"),
    "the vectors that items start from": _by_rows("start 200000", "cpu_seconds"),
    "a baseline's epoch, touched rows": baseline_epoch,
    "ranking the catalog for every user": ranking,
    f"a transfer set of {N_VIEWS} views": transfer_set,
    "a student's epoch on it": distill_epoch,
}
# An adapter's step goes forward once and backward once through frozen weights; an export forward.
TEACHER = {"an epoch of a 7B teacher": 2, f"its export on {N_VIEWS} views": N_VIEWS}


def blocks() -> list[Block]:
    """Make the page's tables."""
    made = {
        "hours": hours_table,
        "memory": memory_table,
        "teacher": teacher_table,
        "limits": limits_table,
        "exponents": exponents_table,
    }
    return [Block(PAGE, mark, make()) for mark, make in made.items()]


def _heads() -> list[str]:
    def short(n: int) -> str:
        return f"{n // 10**6:,} million" if n >= 10**6 else f"{n:,}"

    return [
        f"{log.name}: {short(log.rows)} rows, {short(log.users)} users, {short(log.items)} items"
        for log in LOGS
    ]


def _two(value: float) -> str:
    """Write two digits that count."""
    if value == 0:
        return "0"
    if value >= 100:
        digits = int(math.log10(value)) - 1
        return f"{round(value / 10**digits) * 10**digits:,}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def hours_table() -> str:
    """Write every stage's hours of one core."""
    rows = [
        [name, *(_two(cost(log).hours) for log in LOGS)]
        for name, cost in STAGES.items()
        if cost(LOGS[0]).hours
    ]
    return table(["hours of one core", *_heads()], rows)


def memory_table() -> str:
    """Write every stage's peak, and what it leaves on disk."""
    rows = []
    for name, cost in STAGES.items():
        costs = [cost(log) for log in LOGS]
        rows.append([name, *(_two(c.memory / GIB) for c in costs)])
        if costs[0].disk:
            rows.append([f"{name}, on disk", *(_two(c.disk / GIB) for c in costs)])
    return table(["GiB", *_heads()], rows)


def teacher_table() -> str:
    """Write a large teacher's arithmetic."""
    rows = []
    for name, passes in TEACHER.items():
        flops = [teacher_flops(log, passes) for log in LOGS]
        rows.append([f"{name}, exaFLOP", *(_two(n / 1e18) for n in flops)])
        on = f"hours at {TERAFLOPS} TFLOP/s"
        rows.append([f"{name}, {on}", *(_two(n / (TERAFLOPS * 1e12) / 3600) for n in flops)])
        rows.append([f"{name}, hours of one core", *(_two(n / cpu_flops() / 3600) for n in flops)])
    weights = _shape("llama-2-7b")["parameters"] * 2 / GIB
    rows.append(["its weights in bfloat16, GiB", *[_two(weights)] * len(LOGS)])
    return table(["", *_heads()], rows)


def limits_table() -> str:
    """Write how far main memory carries each stage, everything else free."""
    per_item = baseline_epoch(LOGS[-1]).memory / LOGS[-1].items
    shares = {
        "rows in `prepare_data`": prepare_bytes_a_row(),
        "rows under the items' start": STAGES["the vectors that items start from"](LOGS[-1]).memory
        / LOGS[-1].rows,
        "items of a student in training": per_item,
        "positions of a transfer set in the making": position_bytes()[0],
    }
    rows = [
        [name, *(_two(machine * GIB / each / 1e6) for machine in MACHINES)]
        for name, each in shares.items()
    ]
    return table(["millions that fit", *(f"{machine} GiB" for machine in MACHINES)], rows)


def exponents_table() -> str:
    """Write how each measured curve grows."""
    rows = [
        [name, curve["by"], f"{exponent(curve['cpu_seconds']):.2f}"]
        for name, curve in _result("scaling").items()
    ]
    return table(["measured", "by", "exponent"], rows)
