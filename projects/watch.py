"""Tell from a service's log of requests whether they have moved away from what it was made for.

mlflow run . --env-manager local -e watch -P name=recdistill-ml-100k -P log=requests
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import serving
from recdistill.config import main_fields
from recdistill.errors import UserError, require_least
from recdistill.runs import stage
from recdistill.serving import DriftLimits

if TYPE_CHECKING:
    from recdistill.runs import Run
    from recdistill.serving import Measure


@main_fields("name", "log", "hours", "until", "min_histories")
@dataclass(frozen=True)
class Config:
    """Which service, which hours, and how far they may drift."""

    name: str = "recdistill-ml-100k"
    log: str = "requests"
    hours: float = 24.0
    until: str = ""
    min_histories: int = 200
    seed: int = 0
    drift: DriftLimits = field(default_factory=DriftLimits)

    def __post_init__(self) -> None:
        if self.hours <= 0:
            raise UserError(f"hours is {self.hours}; it must be more than 0.")
        require_least("min_histories", self.min_histories, 1)
        self.end()

    def end(self) -> datetime:
        """Return the moment up to which requests count."""
        if not self.until:
            return datetime.now(UTC)
        try:
            found = datetime.fromisoformat(self.until)
        except ValueError:
            raise UserError(
                f"until is {self.until!r}; it must be a date or time such as 2026-11-25T06:00."
            ) from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)


def run(config: Config, run: Run) -> None:
    """Add up the log, measure it against what the champion expects, fail beyond a limit."""
    champion = serving.Registry(run.client, config.name).champion()
    run.rename(f"v{champion.number}", "watch")
    run.set_tags({"watched": champion.address})
    logged = serving.read_log(
        Path(config.log), version=champion.number, until=config.end(), hours=config.hours
    )
    recent = logged.traffic
    figures = {"n_requests": recent.n_requests, "n_histories": recent.n_histories}
    run.log_metrics({f"watch/{name}": value for name, value in figures.items()})
    if recent.n_histories < config.min_histories:
        said = (
            f"{champion.address} answered {recent.n_histories} histories in {config.hours:g} "
            f"hours: fewer than {config.min_histories} say nothing (min_histories)."
        )
        run.note(said)
        print(said)
        return
    reference = serving.read_reference(champion.student())
    measures = serving.drift(recent, reference.expected, reference.untrained, config.drift)
    run.log_metrics({f"watch/{one.name}": one.value for one in measures})
    run.note(table(measures))
    print("\n".join(one.words for one in measures))
    if beyond := [one for one in measures if not one.passed]:
        limits = "; ".join(f"drift.{one.name}: {one.words}" for one in beyond)
        raise UserError(f"{champion.address} is beyond its limits in {config.hours:g} h: {limits}.")


def table(measures: list[Measure]) -> str:
    """Return the measures as a Markdown table."""
    rows = [
        f"| `{m.name}` | {m.value:.4g} | {m.words} | {'' if m.passed else '**beyond**'} |"
        for m in measures
    ]
    return "\n".join(["| drift | value | found | |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    stage(run, Config, "watch")
