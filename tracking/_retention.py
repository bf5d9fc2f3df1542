"""Keep what somebody may still need; free the space of the rest.

Kept are, in every experiment and stage: the best finished run by one metric and the newest ones;
whatever those were built on (parents, baselines, teachers and what they said, item vectors, the
original of a cached result); every run behind a registered model and the student that it packaged;
everything pinned by the tag ``keep``; every run still RUNNING. The rest loses its artifacts and
models, and moves to MLflow's *Deleted* state: its parameters and metrics can still be looked at
there, or brought back, until ``mlflow gc`` forgets them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflow.entities import ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_STUDENT = "model_run_id"
# The model that an update went on from and the transfer set that a longer one extends are missing:
# both are contained in what was made of them, and every night would keep all nights before it.
_BUILT_ON = (
    "mlflow.parentRunId",
    "baseline_run_id",
    "teacher_run_id",
    "table_run_id",
    "transfer_run_id",
    "text_run_id",
    _STUDENT,
    "student_run_id",
    "cache.hit_of",
    "cache.went_on_with",
)
_PAGE = 1000


@dataclass(frozen=True)
class Verdict:
    """What becomes of one run, and why."""

    run: Run
    keep: bool
    reason: str

    def line(self) -> str:
        """Return one line for people."""
        name = self.run.info.run_name or ""
        word = "keep  " if self.keep else "remove"
        return f"{word}  {self.run.info.run_id}  {name[:32]:<32}  {self.reason}"


def judge(client: MlflowClient, metric: str, keep_last: int) -> list[Verdict]:
    """Decide about every active run; nothing is changed."""
    runs = {run.info.run_id: run for run in _all_runs(client)}
    reasons = _registered(client)
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run_id, run in runs.items():
        tags = run.data.tags
        if run.info.status in ("RUNNING", "SCHEDULED"):
            reasons.setdefault(run_id, "is running")
        elif tags.get("keep", "false").lower() not in ("", "false"):
            reasons.setdefault(run_id, "is pinned by its tag keep")
        if run.info.status == "FINISHED":
            groups[run.info.experiment_id, tags.get("stage", "")].append(run)
    for (_, stage), group in groups.items():
        group.sort(key=lambda run: run.info.start_time)
        scored = [run for run in group if metric in run.data.metrics]
        if scored:
            best = max(scored, key=lambda run: run.data.metrics[metric])
            reasons.setdefault(best.info.run_id, f"best {metric} of {stage or 'its stage'}")
        for run in group[-keep_last:] if keep_last else []:
            reasons.setdefault(run.info.run_id, f"among the last {keep_last} of {stage or 'all'}")
    _keep_foundations(runs, reasons)
    return [
        Verdict(run, run_id in reasons, reasons.get(run_id, "neither best nor last, nor needed"))
        for run_id, run in runs.items()
    ]


def remove(client: MlflowClient, verdict: Verdict) -> int:
    """Delete the run's artifacts and models, then the run; return the bytes freed.

    Files first: should this be interrupted, the run is still listed and the next call goes on.
    """
    run_id = verdict.run.info.run_id
    freed = _empty(verdict.run.info.artifact_uri)
    models = client.search_logged_models(
        [verdict.run.info.experiment_id], f"source_run_id = '{run_id}'", max_results=_PAGE
    )
    for model in models:
        freed += _empty(model.artifact_location)
        client.delete_logged_model(model.model_id)
    client.set_tag(run_id, "removed.reason", verdict.reason)
    client.delete_run(run_id)
    return freed


def _all_runs(client: MlflowClient) -> list[Run]:
    experiments = [e.experiment_id for e in client.search_experiments()]
    found, token = [], None
    while True:
        page = client.search_runs(
            experiments, run_view_type=ViewType.ACTIVE_ONLY, max_results=_PAGE, page_token=token
        )
        found += page
        token = page.token
        if not token:
            return found


def _registered(client: MlflowClient) -> dict[str, str]:
    reasons, token = {}, None
    while True:
        page = client.search_model_versions(max_results=_PAGE, page_token=token)
        for version in page:
            # The run that packaged the student, and the one that trained it: updates go on from it.
            for run_id in filter(None, (version.run_id, version.tags.get(_STUDENT))):
                reasons[run_id] = f"is behind model {version.name} version {version.version}"
        token = page.token
        if not token:
            return reasons


def _keep_foundations(runs: dict[str, Run], reasons: dict[str, str]) -> None:
    """Follow from every kept run to what it was built on, and from there on."""
    open_ends = list(reasons)
    while open_ends:
        run = runs.get(open_ends.pop())
        if run is None:
            continue
        for tag in _BUILT_ON:
            # Several teachers stand in one tag, separated by commas.
            for base in run.data.tags.get(tag, "").replace(" ", "").split(","):
                if base in runs and base not in reasons:
                    reasons[base] = f"{run.info.run_name} was built on it"
                    open_ends.append(base)


def _empty(location: str) -> int:
    """Delete every file below an artifact address; return their bytes."""
    repository = get_artifact_repository(location)
    try:
        freed = _size(repository, None)
        repository.delete_artifacts()
    except (MlflowException, OSError):  # nothing was ever written there
        return 0
    return freed


def _size(repository: object, path: str | None) -> int:
    total = 0
    for entry in repository.list_artifacts(path):  # type: ignore[attr-defined]
        total += _size(repository, entry.path) if entry.is_dir else int(entry.file_size or 0)
    return total
