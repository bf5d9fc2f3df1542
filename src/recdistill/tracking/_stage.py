"""Opening and closing a run around one stage, whatever happens in between."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from recdistill.config import as_dotted, as_plain, home, parse
from recdistill.errors import UserError
from recdistill.tracking._dead_runs import close_dead_runs, process_tags
from recdistill.tracking._environment import code_digest, git_state, hardware, packages
from recdistill.tracking._run import Run
from recdistill.tracking._views import run_url, save_views, ui_base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

C = TypeVar("C")

_NOT_IN_KEY = {"use_cache", "preset", "data_path"}
_SERVE = "mlflow server --app-name recdistill --backend-store-uri"


class Terminated(SystemExit):
    """The process was asked to end (SIGTERM)."""


def stage(
    run_stage: Callable[[C, Run], None],
    config_type: type[C],
    name: str,
    argv: Sequence[str] | None = None,
) -> None:
    """Be the main program of ``projects/<name>.py``.

    Parses the settings, opens the run (or adopts the one ``mlflow run`` opened), calls
    ``run_stage(config, run)`` and closes the run with the truth: FINISHED, FAILED, or KILLED when
    interrupted. A :class:`UserError` is printed as its one sentence; the exit status is then 2.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & set(words):
        parse(config_type, name, ["--help"])
    try:
        try:
            config = parse(config_type, name, words)
        except UserError as error:
            _fail_adopted(name, str(error))
            raise
        with open_run(name, config) as run:
            run_stage(config, run)
            _say_where(run)
    except UserError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        sys.exit(2)


@contextmanager
def open_run(
    name: str,
    config: Any,
    *,
    run_name: str | None = None,
    parent: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Iterator[Run]:
    """Open a run for stage ``name``, or adopt the one that ``mlflow run`` opened.

    Logs the resolved settings, code state, packages and hardware; closes the run also on an
    exception, Ctrl-C or SIGTERM, so none is left RUNNING.
    """
    client = _client()
    close_dead_runs(client)
    run_id = os.environ.pop("MLFLOW_RUN_ID", None) if parent is None else None
    parent = parent or os.environ.pop("RECDISTILL_PARENT_RUN", None)
    if run_id is None:
        run_id = client.create_run(_experiment(client), run_name=run_name).info.run_id
        client.set_tag(run_id, "mlflow.source.name", f"projects/{name}.py")
        client.set_tag(run_id, "mlflow.source.type", "PROJECT")
    settings = {
        key: value
        for key, value in as_dotted(config).items()
        if key not in _NOT_IN_KEY and not key.endswith(("_run", "runs"))
    }
    main_file = home() / "projects" / f"{name}.py"
    run = Run(client, run_id, name, settings, code_digest(main_file))
    status = "FAILED"
    monitor = _system_metrics(run_id)
    with _sigterm_raises():
        try:
            _describe(run, config, parent, tags or {})
            if run_name:
                run.rename(run_name)
            yield run
            status = "FINISHED"
        except (KeyboardInterrupt, Terminated):
            status = "KILLED"
            raise
        except UserError as error:
            _record(run, str(error))
            raise
        except SystemExit as leaving:
            status = "FAILED" if leaving.code else "FINISHED"
            raise
        except BaseException as error:
            if isinstance(error, MlflowException) and not _answers(run):
                raise _gone(run, error) from None
            _record(run, f"{type(error).__name__}: {error}", traceback.format_exc())
            raise
        finally:
            if monitor:
                monitor.finish()
            run.close(status)


def _describe(run: Run, config: Any, parent: str | None, tags: Mapping[str, str]) -> None:
    git, diff = git_state()
    own = {
        "stage": run.stage,
        "seed": getattr(config, "seed", ""),
        "command": shlex.join(["python", "-m", f"projects.{run.stage}", *sys.argv[1:]]),
    }
    if parent:
        own["mlflow.parentRunId"] = parent
    run.set_tags({**git, **process_tags(), **own, **tags})
    run.log_params({f"config.{key}": value for key, value in as_dotted(config).items()})
    run.log_dict(as_plain(config), "config.yaml")
    run.log_text(packages(), "environment/packages.txt")
    run.log_dict(hardware(), "environment/hardware.json")
    if diff:
        run.log_text(diff, "environment/git.diff")


def _record(run: Run, error: str, trace: str = "") -> None:
    """Leave the reason on the run, where that is possible: it must not hide the reason itself."""
    try:
        run.set_tags({"error": error})
        if trace:
            run.log_text(trace, "error.txt")
    except MlflowException as failed:
        print(f"{run.stage}: the run could not be told why it failed ({failed})", file=sys.stderr)


def _answers(run: Run) -> bool:
    try:
        run.client.get_run(run.id)
    except MlflowException:
        return False
    return True


def _gone(run: Run, error: MlflowException) -> UserError:
    reason = str(error).splitlines()[0][:200]
    return UserError(
        f"The tracking store {mlflow.get_tracking_uri()} went away in the middle of run {run.id} "
        f"({reason}). Start the same command again when it is back: what was trained is kept "
        "and goes on from there."
    )


def _client() -> MlflowClient:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for chatty in ("mlflow.system_metrics", "mlflow.store.db.utils", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        client = MlflowClient()
        client.search_experiments(max_results=1)
    except (MlflowException, OSError) as error:
        reason = str(error).splitlines()[0][:300]
        raise UserError(
            f"The tracking store {mlflow.get_tracking_uri()} cannot be used: {reason}. Start the "
            "server (make ui or make server) or set MLFLOW_TRACKING_URI."
        ) from None
    return client


def _experiment(client: MlflowClient) -> str:
    if chosen := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return chosen
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "Default")
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name))


def _fail_adopted(name: str, message: str) -> None:
    run_id = os.environ.pop("MLFLOW_RUN_ID", None)
    if run_id:
        client = _client()
        client.set_tag(run_id, "stage", name)
        client.set_tag(run_id, "error", message)
        client.set_terminated(run_id, status="FAILED")


def _system_metrics(run_id: str) -> Any:
    if os.environ.get("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true").lower() != "true":
        return None
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitor = SystemMetricsMonitor(run_id, sampling_interval=5, samples_before_logging=1)
    monitor.start()
    return monitor


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    def leave(_signal: int, _frame: object) -> NoReturn:
        raise Terminated(143)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:  # not the main thread; whoever is has its own handler
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say_where(run: Run) -> None:
    uri = mlflow.get_tracking_uri()
    experiment = run.client.get_run(run.id).info.experiment_id
    save_views(run.client, experiment)
    here = "make ui" if Path("MLproject").is_file() else f"{_SERVE} {uri}"
    hint = "" if uri.startswith("http") else f"  ('{here}' shows it)"
    print(f"{run.stage}: done. {run_url(ui_base(uri), experiment, run.id)}{hint}", flush=True)
