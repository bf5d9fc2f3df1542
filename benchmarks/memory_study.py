"""Regenerate the tables and pictures of docs/research/lora_oom.md.

Command: ``python -m benchmarks.memory_study``.

Everything is planned anew from configurations (a minute or two on one core); the measured columns
come from ``benchmarks/data/memory_grid_cpu.json``, which ``python -m benchmarks.memory_grid``
rewrites. ``--replay`` also measures the original configuration on this machine's CPU, and
``--tables grid,replay`` renews these tables only.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.figure import Figure

from benchmarks.memory_grid import DATA, with_device
from recdistill.memory import MemorySettings, measure, plan

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "research" / "lora_oom.md"
REPLAY_BATCH = 4  # activations are linear in the batch; 32 would not fit a small machine
REPLAY = DATA / "memory_replay_cpu.json"
# Batch and MB (10^6 bytes) of the original project's Llama-2-7B runs: LoRA on q and v, bf16,
# length 128, no checkpointing. Printed there as 33.38 and 53.88 GB, which are GiB.
LLAMA_MEASURED = {32: 35_842, 64: 57_853}
LLAMA = MemorySettings(
    llm="llama-2-7b", batch=32, length=128, adapter="lora", target_modules="q_proj,v_proj"
)
SEED = MemorySettings(
    llm="opt-125m",
    batch=32,
    length=128,
    precision="fp32",
    target_modules="q_proj,v_proj",
    scoring="last",
    item_titles=False,
    vocabulary_logits=True,
    gating="outputs",
)
KNOBS: list[dict[str, Any]] = [
    {},
    {"batch": 16},
    {"length": 64},
    {"length": 256},
    {"lora_r": 64},
    {"adapter": "ilora"},
    {"adapter": "ilora", "gating": "outputs"},
    {"target_modules": "all-linear"},
    {"target_modules": "all-linear", "adapter": "ilora", "gating": "outputs"},
    {"lora_dropout": 0.0},
    {"checkpointing": True},
    {"attention": "eager"},
    {"attention": "eager", "length": 512},
    {"length": 512},
    {"vocabulary_logits": True},
    {"resize_vocabulary": "trainable"},
    {"optimizer": "sgd"},
    {"precision": "fp32"},
    {"quant": "nf4"},
    {"scoring": "full"},
]
SUSPECTS: list[tuple[str, dict[str, Any]]] = [
    ("as configured, length 128", {}),
    ("gate at rank r instead of expert outputs", {"gating": "rank"}),
    ("without the unused token logits", {"vocabulary_logits": False}),
    ("vocabulary resized after the freeze (trainable)", {"resize_vocabulary": "trainable"}),
    ("vocabulary resized, then frozen", {"resize_vocabulary": "frozen"}),
    ("checkpointing", {"checkpointing": True}),
    ("eager attention", {"attention": "eager"}),
    ("padded to length 512", {"length": 512}),
    ("padded to length 512, eager", {"length": 512, "attention": "eager"}),
    ("padded to length 1024", {"length": 1024}),
    ("padded to length 1024, eager", {"length": 1024, "attention": "eager"}),
    ("padded to length 2048", {"length": 2048}),
    ("length 512, everything this project does instead",
     {"length": 512, "gating": "rank", "vocabulary_logits": False, "scoring": "chunked"}),
]  # fmt: skip


def grid_table() -> str:
    """Planned against measured peaks of the committed grid."""
    grid = json.loads((DATA / "memory_grid_cpu.json").read_text(encoding="utf-8"))
    lines = ["| setting | measured MB | planned MB | error |", "|---|---:|---:|---:|"]
    errors = []
    for row in grid["rows"]:
        planned = plan(with_device(row["settings"], "cpu")).peak_bytes
        errors.append(planned / row["peak_bytes"] - 1)
        words = ", ".join(f"{k}={v}" for k, v in row["settings"].items())
        lines.append(
            f"| {words} | {row['peak_bytes'] / 1e6:,.1f} | {planned / 1e6:,.1f} "
            f"| {errors[-1]:+.2%} |"
        )
    sizes = [abs(error) for error in errors]
    lines += [
        "",
        f"{len(sizes)} settings: median error {median(sizes):.2%}, worst {max(sizes):.2%}. "
        f"Measured {grid['date']} with torch {grid['versions']['torch']}, by `{grid['command']}`: "
        f"{grid['method']}.",
    ]
    return "\n".join(lines)


def llama_table() -> str:
    """Hold the original project's two GPU measurements against the plan."""
    lines = ["| batch | measured MB (their GPU) | planned MB | error |", "|---:|---:|---:|---:|"]
    for batch, measured in LLAMA_MEASURED.items():
        planned = plan(LLAMA.but(batch=batch)).peak_bytes / 1e6
        lines.append(f"| {batch} | {measured:,} | {planned:,.0f} | {planned / measured - 1:+.1%} |")
    return "\n".join(lines)


def knob_table() -> str:
    """Plan what each variable does to Llama-2-7B at batch 32, length 128."""
    base = plan(LLAMA).peak_bytes
    lines = ["| change | peak MB | against the first row |", "|---|---:|---:|"]
    for change in KNOBS:
        peak = plan(LLAMA.but(**change)).peak_bytes
        words = ", ".join(f"`{k}={v}`" for k, v in change.items()) or "none"
        lines.append(f"| {words} | {peak / 1e6:,.0f} | {(peak - base) / 1e6:+,.0f} |")
    return "\n".join(lines)


def seed_table() -> str:
    """Plan the original OPT-125m configuration and its suspects for a GPU."""
    lines = ["| configuration | peak MB | of which batch-dependent |", "|---|---:|---:|"]
    for words, change in SUSPECTS:
        planned = plan(SEED.but(**change))
        moving = planned.peak_bytes - planned.resident_bytes
        lines.append(f"| {words} | {planned.peak_bytes / 1e6:,.0f} | {moving / 1e6:,.0f} |")
    return "\n".join(lines)


def replay() -> None:
    """Measure the original configuration at a small batch, plain loop and Lightning.

    What the file already has is kept: an interrupted replay goes on.
    """
    rows = json.loads(REPLAY.read_text(encoding="utf-8")) if REPLAY.exists() else []
    known = [(row["change"], row["loop"]) for row in rows]
    for change in (
        {}, {"checkpointing": True}, {"resize_vocabulary": "trainable"},
        {"resize_vocabulary": "frozen"}, {"gating": "rank", "vocabulary_logits": False},
    ):  # fmt: skip
        for loop in ("plain", "lightning"):
            if (change, loop) in known:
                continue
            settings = SEED.but(device="cpu", batch=REPLAY_BATCH, **change)
            peak = measure(settings, loop=loop).peak_bytes
            rows.append({"change": change, "loop": loop, "peak_bytes": peak,
                         "planned_bytes": plan(settings).peak_bytes})  # fmt: skip
            print(rows[-1], flush=True)
            REPLAY.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def replay_table() -> str:
    """Show the replay's measured peaks."""
    if not REPLAY.exists():
        return "Not measured yet: `python -m benchmarks.memory_study --replay`."
    lines = ["| change | loop | measured MB | planned MB | error |", "|---|---|---:|---:|---:|"]
    for row in json.loads(REPLAY.read_text(encoding="utf-8")):
        words = ", ".join(f"`{k}={v}`" for k, v in row["change"].items()) or "as configured"
        measured, planned = row["peak_bytes"], row["planned_bytes"]
        lines.append(f"| {words} | {row['loop']} | {measured / 1e6:,.1f} | {planned / 1e6:,.1f} "
                     f"| {planned / measured - 1:+.2%} |")  # fmt: skip
    return "\n".join(lines)


def draw() -> None:
    """Draw peak against batch with its causes, and the variables' effects."""
    batches = [8, 16, 32, 48, 64]
    plans = [plan(LLAMA.but(batch=batch)) for batch in batches]
    names = ["weights", "attention", "norms", "mlp", "adapters", "backward"]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    parts = [[p.causes.get(name, 0) / 1e9 for p in plans] for name in names]
    axes.stackplot(batches, parts, labels=names, alpha=0.8)
    axes.plot(list(LLAMA_MEASURED), [n / 1e3 for n in LLAMA_MEASURED.values()], "k^",
              label="measured on their GPU")  # fmt: skip
    axes.set(xlabel="batch", ylabel="GB (10^9 bytes)", ylim=(0, None),
             title="Llama-2-7B, LoRA on q and v, bf16, length 128")  # fmt: skip
    axes.legend(loc="upper left")
    (DOCS / "assets").mkdir(exist_ok=True)
    figure.savefig(DOCS / "assets" / "memory_llama_by_cause.png", dpi=120)

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    base = plan(LLAMA).peak_bytes
    words = [", ".join(f"{k}={v}" for k, v in change.items()) for change in KNOBS[1:]]
    effects = [(plan(LLAMA.but(**change)).peak_bytes - base) / 1e9 for change in KNOBS[1:]]
    axes.barh(words, effects, color=["#ee6677" if e > 0 else "#228833" for e in effects])
    axes.invert_yaxis()
    axes.set(xlabel="GB more or less than batch 32, length 128", title="What each variable does")
    figure.savefig(DOCS / "assets" / "memory_knobs.png", dpi=120)


def main() -> None:
    tables = {"grid": grid_table, "llama": llama_table, "knobs": knob_table, "seed": seed_table,
              "replay": replay_table}  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replay", action="store_true", help="measure the original configuration")
    parser.add_argument("--tables", default="", help="only these, as in grid,replay; no pictures")
    options = parser.parse_args()
    if options.replay:
        replay()
    for name in filter(None, options.tables.split(",")) if options.tables else tables:
        start, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
        made = tables[name]()
        before, rest = PAGE.read_text(encoding="utf-8").split(start)
        page = before + start + made + "\n" + end + rest.split(end, 1)[1]
        PAGE.write_text(page, encoding="utf-8")
    if not options.tables:
        draw()


if __name__ == "__main__":
    main()
