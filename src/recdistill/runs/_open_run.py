"""Opening and closing a run around one stage, whatever happens in between."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.entities import RunTag
from mlflow.exceptions import MlflowException

from recdistill.config import as_plain
from recdistill.errors import UserError
from recdistill.progress import progress_told_to
from recdistill.ranks import Devices
from recdistill.runs._content_key import code_digest
from recdistill.runs._dead_runs import close_dead_runs, process_tags, reopen
from recdistill.runs._environment import git_state, hardware, packages
from recdistill.runs._found_anywhere import FOLDER
from recdistill.runs._metric_buffer import deliver_waiting
from recdistill.runs._passing import passing_files_in
from recdistill.runs._run import STATE, Run
from recdistill.runs._scratch import clear_dead_scratch
from recdistill.runs._store import chosen_experiment, open_store, store_or_disk_fault
from recdistill.runs._surroundings import Asked, leaving_words, signals_raise, system_metrics
from recdistill.runs._used_settings import used_settings
from recdistill.runs._views import run_url, save_views, ui_base

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient

_SERVE = "mlflow server --app-name recdistill --backend-store-uri"
# What the settings mean elsewhere, and where a training runs: that may differ when it is resumed.
_NOT_IN_KEY = {"use_cache", "preset", "data_path", "copy_to"} | {f.name for f in fields(Devices)}


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
    client = open_store()
    close_dead_runs(client)
    clear_dead_scratch(STATE)
    deliver_waiting(client, STATE)
    run_id = os.environ.pop("MLFLOW_RUN_ID", None) if parent is None else None
    parent = parent or os.environ.pop("RECDISTILL_PARENT_RUN", None)
    # From its first moment a run says whose it is: whoever finds it can tell that it died.
    own = process_tags() | {FOLDER: str(Path.cwd()), "stage": name}
    if run_id is None:
        source = {"mlflow.source.name": f"projects/{name}.py", "mlflow.source.type": "PROJECT"}
        run_id = client.create_run(
            chosen_experiment(client), run_name=run_name, tags=own | source
        ).info.run_id
    else:
        reopen(client, run_id)  # Kubernetes starts a killed stage again under the same run
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in own.items()])
    settings = {
        key: value
        for key, value in used_settings(config).items()
        if key not in _NOT_IN_KEY and not key.endswith(("_run", "runs"))
    }
    run = _opened(client, run_id, name, settings)
    status = "FAILED"
    monitor = system_metrics(run_id)
    with (
        signals_raise() as closing,
        passing_files_in(run.folder),
        progress_told_to(run.log_progress),
    ):
        try:
            _describe(run, config, parent, tags or {})
            if run_name:
                run.rename(run_name)
            try:
                yield run
            finally:
                closing.began = True
            status = "FINISHED"
        except (KeyboardInterrupt, Asked) as leaving:
            status = "KILLED"
            print(f"{name}: {leaving_words(leaving, run)}", file=sys.stderr, flush=True)
            raise
        except UserError as error:
            _record(run, str(error))
            raise
        except SystemExit as leaving:
            status = "FAILED" if leaving.code else "FINISHED"
            raise
        except BaseException as error:
            if fault := store_or_disk_fault(run, error):
                run.give_up_waiting()
                _record(run, str(fault))
                raise fault from None
            _record(run, f"{type(error).__name__}: {error}", traceback.format_exc())
            raise
        finally:
            if monitor:
                monitor.finish()
            run.close(status)


def say_where(run: Run) -> None:
    """Print the address of a run that is done, and offer the experiment's saved views."""
    uri = mlflow.get_tracking_uri()
    experiment = run.client.get_run(run.id).info.experiment_id
    save_views(run.client, experiment)
    here = "make ui" if Path("MLproject").is_file() else f"{_SERVE} {uri}"
    hint = "" if uri.startswith("http") else f"  ('{here}' shows it)"
    print(f"{run.stage}: done. {run_url(ui_base(uri), experiment, run.id)}{hint}", flush=True)


def _opened(client: MlflowClient, run_id: str, name: str, settings: dict[str, Any]) -> Run:
    """Make the handle; where this folder takes no files, say so and leave no run open."""
    try:
        return Run(client, run_id, name, settings, code_digest(name))
    except OSError as error:
        said = (
            f"The working folder {Path.cwd()} does not take the run's files in {STATE} "
            f"({error.strerror}): start the stage in a folder that can be written, with room on "
            "its disk."
        )
        client.set_tag(run_id, "error", said)
        client.set_terminated(run_id, status="FAILED")
        raise UserError(said) from None


def _describe(run: Run, config: Any, parent: str | None, tags: Mapping[str, str]) -> None:
    git, diff = git_state()
    own = {
        "stage": run.stage,
        "seed": getattr(config, "seed", ""),
        "command": shlex.join(["python", "-m", f"projects.{run.stage}", *sys.argv[1:]]),
    }
    if parent:
        own["mlflow.parentRunId"] = parent
    run.set_tags({**git, **own, **tags})
    run.log_params({f"config.{key}": value for key, value in used_settings(config).items()})
    run.log_dict(as_plain(config), "config.yaml")
    run.log_text(packages(), "environment/packages.txt")
    run.log_dict(hardware(), "environment/hardware.json")
    if diff:
        run.log_text(diff, "environment/git.diff")


def _record(run: Run, error: str, trace: str = "") -> None:
    """Leave the reason on the run, where that is possible: it must not hide the reason itself."""
    try:
        run.set_tags({"error": error})
        run.rename(run.stage)  # where it failed before it had a name: MLflow draws one at random
        if trace:
            run.log_text(trace, "error.txt")
    except (MlflowException, OSError) as failed:
        print(f"{run.stage}: the run could not be told why it failed ({failed})", file=sys.stderr)
