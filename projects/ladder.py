"""One rung of the diagnosis's ladder: a distillation with one mistake made on purpose.

Started by diagnose, as its children. ``mistake=none`` is distill itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from projects import distill
from recdistill.distillation import Mistake  # noqa: TC001 - read by the parser
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.runs import Run


@dataclass(frozen=True)
class Config(distill.Config):
    """A distillation and what is done wrong in it."""

    rung: str = ""
    mistake: Mistake = "none"


def run(config: Config, run: Run) -> None:
    """Distil, with the mistake; a student with one is not kept."""
    run.rename(config.rung or config.mistake, f"s{config.seed}-ladder")
    run.set_tags({"rung": config.rung or config.mistake})
    # Here: it imports torch, and a mistyped setting is answered without.
    from recdistill.distillation.mistakes import distil_with_mistake

    fit = partial(distil_with_mistake, config.mistake)
    distill.distil(config, run, fit, keep_model=config.mistake == "none")


if __name__ == "__main__":
    stage(run, Config, "ladder")
