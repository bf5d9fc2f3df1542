"""Ask the machine whether it can run this project, one sentence per finding.

mlflow run . --env-manager local -e doctor
python -m projects.doctor      (also where the tracking store is down, which stops mlflow run)
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import doctor
from recdistill.config import parse
from recdistill.errors import UserError
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.runs import Run


@dataclass(frozen=True)
class Config:
    """Settings of doctor; conf/doctor.yaml says what each does."""

    seconds: float = 120.0
    seed: int = 0
    preset: str = "full"
    use_cache: bool = True


def run(config: Config, run: Run) -> None:
    """Examine, print and log; an error finding ends the stage with status 1, warnings do not."""

    def tracking() -> str:
        run.client.get_run(run.id)
        return str(run.client.tracking_uri)

    findings = doctor.examine(tracking, Path(), config.seconds)
    table = doctor.findings_table(findings)
    print(table)
    counts = Counter(finding.severity for finding in findings)
    run.rename("doctor")
    run.log_metrics(
        {f"doctor/n_{kind}": counts[kind] for kind in ("ok", "note", "warning", "error")}
    )
    run.log_text(table + "\n", "doctor.md")
    run.log_dict([finding.as_dict() for finding in findings], "doctor.json")
    run.note(table)
    if counts["error"]:
        sys.exit(1)


def main(argv: list[str]) -> None:
    """Run the stage; without a tracking store, examine all the same and record nothing."""
    try:
        config = parse(Config, "doctor", argv)
    except UserError:
        stage(run, Config, "doctor", argv)  # says it, and ends
        raise
    import mlflow
    from mlflow.exceptions import MlflowException

    # MLflow would otherwise repeat its question for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0][:300]

        def tracking() -> str:
            raise ConnectionError(f"{mlflow.get_tracking_uri()} does not answer ({reason})")

        print(doctor.findings_table(doctor.examine(tracking, Path(), config.seconds)))
        print("doctor: nothing was recorded, because the tracking store cannot be used.")
        sys.exit(1)
    stage(run, Config, "doctor", argv)


if __name__ == "__main__":
    main(sys.argv[1:])
