"""Measure what a teacher's training step takes, in a process of its own, and judge the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recdistill import memory, teachers
from recdistill.config import main_fields
from recdistill.runs import stage
from recdistill.teachers import StepConfig

if TYPE_CHECKING:
    from recdistill.memory import Probe
    from recdistill.runs import Run

MB = 1e6


@main_fields("loop")
@dataclass(frozen=True)
class Config(StepConfig):
    """Settings of probe_memory; conf/probe_memory.yaml says what each does."""

    length: int = 64
    loop: Literal["plain", "lightning"] = "plain"
    model: Literal["teacher", "planned"] = "teacher"
    device: Literal["auto", "cuda", "cpu"] = "auto"


def run(config: Config, run: Run) -> None:
    """Run one step at three batch sizes and log peaks, slope, intercept and the plan's error."""
    device = config.device
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    settings = config.settings(device)
    run.rename(config.llm.split("/")[-1], f"b{config.batch}-probe")
    build = teachers.teacher_step if config.model == "teacher" else memory.decoder_step
    snapshot = run.folder / "snapshot.pickle" if device == "cuda" else None
    with run.phase("probe"):
        probed = memory.probe(settings, build, loop=config.loop, snapshot=snapshot)
    slope, intercept = probed.line()
    largest, planned = probed.measurements[-1], probed.plans[-1]
    run.log_metrics(planned.metrics())
    run.log_metrics(
        {
            "memory/measured_peak_mb": largest.peak_bytes / MB,
            "memory/plan_error": probed.error,
            "memory/measured_mb_per_row": slope / MB,
            "memory/measured_intercept_mb": intercept / MB,
            "memory/measured_reserved_mb": largest.reserved_bytes / MB,
            "memory/measured_rss_mb": largest.rss_bytes / MB,
            **{f"memory/measured_{p}_peak_mb": n / MB for p, n in largest.phases.items()},
        }
    )
    report = _report(probed, device, slope, intercept)
    print(report)
    run.log_text(report, "memory/probe.md")
    run.note(report)
    timeline = memory.write_timeline(largest, run.folder / "timeline.csv")
    picture = memory.draw_timeline(largest, planned, run.folder / "timeline.png")
    for path in (timeline, picture, snapshot):
        if path is not None and path.exists():
            run.log_artifact(path, "memory")


def _report(probed: Probe, device: str, slope: float, intercept: float) -> str:
    lines = [
        f"# Memory probe on {device}",
        "",
        "| batch | planned MB | measured MB | plan error |",
        "|---:|---:|---:|---:|",
    ]
    for batch, planned, measured in zip(
        probed.batches, probed.plans, probed.measurements, strict=True
    ):
        error = planned.peak_bytes / measured.peak_bytes - 1
        lines.append(
            f"| {batch} | {planned.peak_bytes / MB:,.1f} | {measured.peak_bytes / MB:,.1f} "
            f"| {error:+.1%} |"
        )
    lines += ["", f"{slope / MB:.2f} MB per row on top of {intercept / MB:,.1f} MB.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    stage(run, Config, "probe_memory")
