"""Put any set of runs into one table with paired tests, and write the report.

mlflow run . --env-manager local -e compare -P runs=latest
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import reporting
from recdistill.config import main_fields
from recdistill.errors import UserError
from recdistill.runs import comparison_url, metric_word, run_url, stage, ui_base, view_url

SHOWN_ON_TERMINAL = 25

if TYPE_CHECKING:
    from recdistill.reporting import Comparison, ScoredRun
    from recdistill.runs import Run


@main_fields("runs", "reference", "dataset", "seed")
@dataclass(frozen=True)
class Config:
    """Which runs, against which, in whose words."""

    runs: str = "latest"
    reference: str = ""
    floors: bool = True
    margin: float = 0.0
    correct_for_looks: bool = False
    dataset: str = ""
    title: str = ""
    question: str = ""
    n_resamples: int = 10_000
    seed: int = 0
    output: str = ""

    def __post_init__(self) -> None:
        if self.n_resamples < 100:
            raise UserError(
                f"n_resamples is {self.n_resamples}; below 100 no p-value can say anything."
            )
        if self.margin < 0:
            raise UserError(f"margin is {self.margin}; a shortfall is stated as a positive number.")


def run(config: Config, run: Run) -> None:
    """Select, measure, test, write."""
    runs = reporting.select_runs(
        run.client, config.runs, dataset=config.dataset, floors=config.floors
    )
    reference_id = ""
    if config.reference:
        reference = reporting.find_scored_run(run.client, config.reference)
        reference_id = reference.id
        if reference_id not in {one.id for one in runs}:
            runs = sorted([*runs, reference], key=lambda one: -one.started)
    reporting.require_same_data(runs)

    resampling = reporting.Resampling(config.n_resamples, config.seed)
    with run.phase("compare"):
        comparison = reporting.compare_groups(
            reporting.load_groups(runs),
            reference_id=reference_id,
            resampling=resampling,
            history=reporting.read_history(run.client, runs[0]),
            correct_for_looks=config.correct_for_looks,
            margin=config.margin,
        )
    describe(run, comparison, runs)
    links = saved_views(run, runs)
    folder = run.folder / "report"
    with run.phase("report"):
        reporting.write_report(
            comparison,
            folder,
            title=config.title,
            question=config.question,
            links=links,
            made_by=run.id,
        )
    for path in sorted(folder.iterdir()):
        run.log_artifact(path, path.name if path.is_dir() else None)
    if config.output:
        copy_to(folder, Path(config.output))

    print(reporting.as_markdown(comparison, limit=SHOWN_ON_TERMINAL))
    for words, address in links.items():
        print(f"{words}: {address}")


def describe(run: Run, comparison: Comparison, runs: list[ScoredRun]) -> None:
    """Name the run, write its card, and log the differences people search for."""
    newest = comparison.reference.newest.reference
    copied = ("dataset", "split", "catalog.digest", "split.digest", "protocol")
    run.set_tags({name: newest.tags[name] for name in copied if name in newest.tags})
    run.set_tags(
        {
            "baseline_run_id": comparison.reference.newest.id,
            "compared_runs": ",".join(one.id for one in runs),
        }
    )
    best = comparison.rows[0].label
    run.rename(best.replace(" ", "-"), f"first-of-{len(comparison.rows)}")
    table = reporting.as_markdown(comparison, limit=SHOWN_ON_TERMINAL).split("\n- ")[0]
    said = [*reporting.verdict(comparison), *reporting.caveats(comparison)]
    claims = "\n".join(f"- {claim}" for claim in said)
    run.log_metrics({"looks_at_this_test_part": comparison.history.n_looks})
    run.note(f"**Verdict**\n\n{claims}\n\n{table}\n\nThe whole report: artifact `report.html`.")
    for row in comparison.rows:
        if row.group.is_floor and row.group is not comparison.best_floor:
            continue
        for metric, contrast in row.against_reference.items():
            name = f"{metric}_at_10/{metric_word(row.label)}_vs_reference"
            run.log_metrics({f"delta/{name}": contrast.delta, f"p/{name}": contrast.p_adjusted})
    for label, contrasts in comparison.against_floor.items():
        for metric, contrast in contrasts.items():
            name = f"{metric}_at_10/{metric_word(label)}_vs_floor"
            run.log_metrics({f"delta/{name}": contrast.delta, f"p/{name}": contrast.p_adjusted})


def saved_views(run: Run, runs: list[ScoredRun]) -> dict[str, str]:
    """Return addresses: the report, the UI's own comparison, the run table with its columns."""
    base = ui_base(run.client.tracking_uri)
    own = run.client.get_run(run.id).info.experiment_id
    shown = runs[:100]  # a longer address is cut by some servers
    experiments = sorted({one.experiment_id for one in shown})
    return {
        "Report": run_url(base, own, run.id, "report.html"),
        "Comparison in MLflow": comparison_url(base, experiments, [one.id for one in shown]),
        "Run table": view_url(base, runs[0].experiment_id),
    }


def copy_to(folder: Path, output: Path) -> None:
    """Keep the report outside of MLflow as well."""
    shutil.copytree(folder, output, dirs_exist_ok=True)
    print(f"The report is in {output / 'report.html'}")


if __name__ == "__main__":
    stage(run, Config, "compare")
