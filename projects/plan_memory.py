"""Say what a teacher's training step will need in memory, before any GPU second is spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recdistill import memory
from recdistill.config import main_fields
from recdistill.runs import stage
from recdistill.teachers import StepConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recdistill.memory import MemoryPlan, MemorySettings
    from recdistill.runs import Run

MB = 1e6


@main_fields("gpu_gb")
@dataclass(frozen=True)
class Config(StepConfig):
    """Settings of plan_memory; conf/plan_memory.yaml says what each does."""

    llm_layers: int = 0  # a plan costs no more for all of them
    device: Literal["cuda", "cpu"] = "cuda"
    gpu_gb: float = 0.0


def run(config: Config, run: Run) -> None:
    """Plan, log bytes by cause, price every knob, and find what fits the GPU."""
    settings = config.settings(config.device)
    run.rename(config.llm.split("/")[-1], f"b{config.batch}-plan")
    with run.phase("plan"):
        planned = memory.plan(settings)
    found = memory.savings(settings, before=planned)
    parts = [
        f"# Memory plan: {config.llm}, batch {config.batch}, length {config.length}",
        planned.table(),
        "One layer keeps for the backward pass: "
        + ", ".join(f"{cause} {n / MB:.1f} MB" for cause, n in planned.layer.items()),
        "## What each change buys",
        memory.savings_table(found),
    ]
    run.log_metrics(planned.metrics())
    budget = memory.free_bytes(config.gpu_gb)
    if budget:
        parts += ["## What fits", *_what_fits(settings, planned, budget, run)]
    else:
        parts.append("No GPU is here: give gpu_gb (10^9 bytes, 24 for instance) to see what fits.")
    report = "\n\n".join(parts) + "\n"
    print(report)
    run.log_text(report, "memory/plan.md")
    run.log_dict(
        {
            "peak_bytes": planned.peak_bytes,
            "phases": planned.phases,
            "causes": planned.causes,
            "layer": planned.layer,
            "changes": {s.change: s.saved_bytes for s in found},
        },
        "memory/plan.json",
    )
    run.note(report)


def _what_fits(
    settings: MemorySettings, planned: MemoryPlan, budget: int, run: Run
) -> Iterator[str]:
    fits = planned.total_bytes <= budget
    batch, length = (memory.largest(settings, name, budget) for name in ("batch", "length"))
    run.log_metrics(
        {
            "memory/budget_mb": budget / MB,
            "memory/fits": float(fits),
            "memory/largest_batch": batch,
            "memory/largest_length": length,
        }
    )
    yield f"Free: {budget / 1e9:.1f} GB. Needed: {planned.total_bytes / 1e9:.1f} GB."
    yield (
        f"The largest batch at length {settings.length} is {batch}; the largest length at batch "
        f"{settings.batch} is {length}."
    )
    if batch:
        yield (
            f"train_teacher counts padded tokens per step: up to batch={batch * settings.length} "
            "there, a step of such rows runs in one piece; above, it is cut by itself."
        )
    if not fits:
        yield memory.refusal(planned, budget)


if __name__ == "__main__":
    stage(run, Config, "plan_memory")
