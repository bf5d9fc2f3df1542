"""One rung of a diagnosis: a distillation, sound or with one mistake made on purpose.

Started by diagnose, as its children. ``mistake=none`` is distill itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from projects import distill
from recdistill.distillation._mistakes import Mistake, Spoiler
from recdistill.runs import Run, stage


@dataclass(frozen=True)
class Config(distill.Config):
    """A distillation and what is done wrong in it."""

    rung: str = ""
    mistake: Mistake = "none"


def run(config: Config, run: Run) -> None:
    """Distil, with the mistake."""
    run.rename(f"{config.rung or config.mistake}-s{config.seed}-ladder")
    run.set_tags({"rung": config.rung or config.mistake})
    spoiler = Spoiler(config.mistake, config.seed) if config.mistake != "none" else None
    distill.distil(config, run, spoiler)


if __name__ == "__main__":
    stage(run, Config, "ladder")
