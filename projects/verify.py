"""Do a tracked run again from its commit, settings and data; say what differs to the last digit.

mlflow run . --env-manager local -e verify -P tracked_run=sasrec-s1-baseline
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill import runs
from recdistill.config import main_fields
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.runs import Run


@main_fields("tracked_run", "rebuild")
@dataclass(frozen=True)
class Config:
    """Which run; conf/verify.yaml says what is compared."""

    tracked_run: str = ""
    rebuild: bool = False


def run(config: Config, run: Run) -> None:
    """Check the commit out, run the stage as a child, compare; status 1 where anything differs."""
    recorded = runs.read_record(run.client, config.tracked_run)
    run.rename(f"{recorded.name}-verified")
    run.set_tags({"verified_run_id": recorded.id})
    repeated = runs.repeat(run, recorded, rebuild=config.rebuild)
    found = runs.compare_records(recorded, repeated)
    print(found.report())
    run.log_metrics(found.counts())
    run.log_text(found.report(), "verify.md")
    run.note(found.report())
    if not found.equal():
        sys.exit(1)


if __name__ == "__main__":
    stage(run, Config, "verify")
