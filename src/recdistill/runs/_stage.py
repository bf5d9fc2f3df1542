"""The main program of a stage: settings first, and all that is heavy only when they are right."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, TypeVar

from recdistill.config import help_text, parse
from recdistill.errors import UserError
from recdistill.extras import missing_library_named
from recdistill.ranks import launched_place, leading
from recdistill.runs._surroundings import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recdistill.runs._run import Run

C = TypeVar("C")


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

    Of the processes that ``torchrun`` or ``srun`` start, rank 0 does all that; the others train
    with it and write nothing.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if {"-h", "--help"} & set(words):
        print(help_text(config_type, name), end="")
        sys.exit(0)
    try:
        place = launched_place()
        try:
            config = parse(config_type, name, words)
        except UserError as error:
            if place and place.rank:  # rank 0 says it
                sys.exit(2)
            _fail_adopted(name, str(error))
            raise
        if place and place.rank:
            from recdistill.ranks import follow

            follow(place)
            return
        # Here: MLflow takes seconds to import, and whoever mistyped a setting need not wait for it.
        from recdistill.runs._open_run import open_run, say_where
        from recdistill.runs._temporary import own_temporary_folder

        own_temporary_folder()
        ranks = leading(place) if place else nullcontext()
        with ranks, open_run(name, config) as run, missing_library_named(name):
            _end_start_up()
            run_stage(config, run)
            say_where(run)
    except UserError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _end_start_up() -> None:
    """Let Python search for circular garbage again, past what is there by now: it stays."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _fail_adopted(name: str, message: str) -> None:
    run_id = os.environ.pop("MLFLOW_RUN_ID", None)
    if run_id:
        from recdistill.runs._store import open_store

        client = open_store()
        client.set_tag(run_id, "stage", name)
        client.set_tag(run_id, "error", message)
        client.set_terminated(run_id, status="FAILED")
