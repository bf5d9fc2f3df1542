"""Other runs, named the way people name them: by id, by name, or ``latest``."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError
from recdistill.runs._passing import fetch_artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mlflow.entities import Run

    from recdistill.data import PreparedData

_PAGE = 1000

STANDS_FOR = "cache.hit_of"
"""Tag of a run that computed nothing: the run that has done exactly this."""


@dataclass(frozen=True)
class RunReference:
    """A finished run and its files. Runs that stood for a cached one are already resolved."""

    id: str
    name: str
    stage: str
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]

    @classmethod
    def of(cls, run: Run) -> RunReference:
        """Take what MLflow knows of a run, which must not stand for a cached one."""
        return cls(
            id=run.info.run_id,
            name=run.info.run_name or run.info.run_id,
            stage=run.data.tags.get("stage", "unknown"),
            tags=dict(run.data.tags),
            params=dict(run.data.params),
            metrics=dict(run.data.metrics),
        )

    def artifact(self, path: str) -> Path:
        """Bring one artifact file or folder to this machine and return where it lies.

        Raises
        ------
        UserError
            When the run has no such artifact.
        """
        try:
            found = fetch_artifact(f"{MlflowClient().get_run(self.id).info.artifact_uri}/{path}")
        except (MlflowException, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
            found = None
        if found is None or not found.exists():
            raise UserError(
                f"Run '{self.name}' ({self.id}) has no artifact '{path}'; it may have been removed "
                f"by retention. Run {self.stage} again with use_cache=false."
            )
        return found


class RunFinder(Protocol):
    """What finds finished runs: a stage's own ``Run``, or ``FinishedRuns``."""

    @property
    def client(self) -> MlflowClient:
        """The tracking store."""
        ...

    def find(self, reference: str, *stages: str, data: PreparedData | None = None) -> RunReference:
        """Resolve a run by id, name or ``latest``; with ``data``, on the same data only."""
        ...


@dataclass(frozen=True)
class FinishedRuns:
    """The finished runs of a tracking store, for a process that has no run of its own."""

    client: MlflowClient

    def find(
        self,
        reference: str,
        *stages: str,
        data: PreparedData | None = None,
        unlike: Mapping[str, Sequence[str]] | None = None,
    ) -> RunReference:
        """Resolve a run by id, name or ``latest``; with ``data``, on the same data only.

        ``unlike``: see :func:`find_run`.
        """
        tags = (
            {"catalog.digest": data.catalog.digest, "split.digest": data.split_digest}
            if data
            else None
        )
        return find_run(self.client, reference, stages=stages, tags=tags, unlike=unlike)


def find_run(
    client: MlflowClient,
    reference: str,
    *,
    stages: tuple[str, ...],
    tags: dict[str, str] | None = None,
    unlike: Mapping[str, Sequence[str]] | None = None,
) -> RunReference:
    """Resolve ``latest``, a run id, or a run name.

    Parameters
    ----------
    reference : str
        ``latest`` is the newest finished run of these stages that carries ``tags`` (usually the
        same catalog and split) and is no control: nobody wants to serve, teach by or go on with
        what was trained to be compared with.
    stages : entry points whose runs are meant.
    tags : tags the run must carry; a named run that differs is refused.
    unlike : tags with the values that ``latest`` passes over; who names such a run means it.

    Raises
    ------
    UserError
        When nothing is found, or the run is of another stage, unfinished, or on other data.
    """
    wanted = tags or {}
    stage_words = " or ".join(stages)
    if reference == "latest":
        conditions = ["attributes.status = 'FINISHED'"]
        conditions += [f"tags.`{key}` = '{value}'" for key, value in wanted.items()]
        conditions += [f"tags.`{key}` != '{v}'" for key, of in (unlike or {}).items() for v in of]
        if newest := newest_of(client, stages, conditions, unless=_is_control):
            return _resolved(client, newest)
        on = (
            f" on this data ({', '.join(f'{k} {v[:12]}' for k, v in wanted.items())})"
            if wanted
            else ""
        )
        raise UserError(
            f"There is no finished run of {stage_words}{on} yet; "
            f"start one with: mlflow run . -e {stages[0]}"
        )
    found = by_id_or_name(client, reference, stages)
    if found is None:
        raise UserError(
            f"No run has the id or name '{reference}'; give an id from the MLflow UI, a run name, "
            f"or 'latest' for the newest {stage_words}."
        )
    stage = found.data.tags.get("stage", "unknown")
    if stage not in stages:
        raise UserError(f"Run '{reference}' is of stage {stage}; this needs one of {stage_words}.")
    if found.info.status != "FINISHED":
        raise UserError(
            f"Run '{reference}' is {found.info.status}, and only a finished run is safe to use."
        )
    for key, value in wanted.items():
        if found.data.tags.get(key, value) != value:
            raise UserError(
                f"Run '{reference}' has {key} {found.data.tags[key][:12]}, this stage "
                f"{value[:12]}: they are not on the same data. It was made on dataset="
                f"{found.data.tags.get('dataset')} with split={found.data.tags.get('split')}."
            )
    return _resolved(client, found)


def _is_control(run: Run) -> bool:
    # Not a filter of the store's: that would drop the runs that do not say, too.
    return str(run.data.params.get("config.control", "none")) != "none"


def children_of(client: MlflowClient, parent: str) -> list[RunReference]:
    """Find the finished runs that a run started below itself, in their order."""
    finished = ["attributes.status = 'FINISHED'", f"tags.`mlflow.parentRunId` = '{parent}'"]
    return [_resolved(client, run) for run in search(client, finished)][::-1]


def newest_of(
    client: MlflowClient,
    stages: Sequence[str],
    conditions: Sequence[str],
    *,
    unless: Callable[[Run], bool] = lambda _: False,
) -> Run | None:
    """Find the newest run of these stages; a query or two for each, whatever else the store holds.

    ``unless``: says of a run that it is not meant; the newest that is meant is taken.
    """
    found = [
        next(
            (
                run
                for run in search(client, [*conditions, f"tags.stage = '{stage}'"], first=1)
                if not unless(run)
            ),
            None,
        )
        for stage in stages
    ]
    return max(filter(None, found), key=lambda run: run.info.start_time, default=None)


def search(client: MlflowClient, conditions: Sequence[str], *, first: int = _PAGE) -> Iterator[Run]:
    """Yield all runs that meet the conditions, newest first, fetched page by page as needed.

    Parameters
    ----------
    conditions : in the language of MLflow's filters, all of which hold.
    first : size of the first page, for who needs only so many.
    """
    experiments = [e.experiment_id for e in client.search_experiments()]
    size, token = first, None
    while True:
        page = client.search_runs(
            experiments,
            " and ".join(conditions),
            order_by=["attributes.start_time DESC"],
            max_results=size,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return
        # A token counts runs, so that pages may grow: who wanted the first may want a few.
        size = min(20 * size, _PAGE)


def by_id_or_name(client: MlflowClient, reference: str, stages: Sequence[str] = ()) -> Run | None:
    """Find a run by its id, else the newest of its name: of these stages and finished first."""
    try:
        return client.get_run(reference)
    except MlflowException:
        name = reference.replace("'", "")
        named = f"attributes.run_name = '{name}'"
        finished = [named, "attributes.status = 'FINISHED'"]
        return (
            newest_of(client, stages, finished)
            or next(search(client, finished, first=1), None)
            or next(search(client, [named], first=1), None)
        )


def _resolved(client: MlflowClient, run: Run) -> RunReference:
    origin = run.data.tags.get(STANDS_FOR)
    return RunReference.of(client.get_run(origin) if origin else run)
