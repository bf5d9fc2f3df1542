"""The champion over HTTP, whichever version that is: a new one takes over between two requests."""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import mlflow
from mlflow.exceptions import MlflowException

from recdistill.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from fastapi import FastAPI

    from recdistill.serving._names import ItemNames
    from recdistill.serving._registry import Registry, Version
    from recdistill.serving._request_log import RequestLog

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Loaded:
    """A version and its model; a request holds on to one from its start to its end."""

    number: int
    model: Any
    names: ItemNames


class LiveModel:
    """What MLflow's scoring server asks: the present champion behind one reference.

    Loading happens beside the requests. They meet the old model until the new one is loaded and has
    answered once, and the new one from then on; where loading fails, the old one goes on.

    Parameters
    ----------
    registry : Registry
    log : RequestLog, optional

    Raises
    ------
    UserError
        When there is no champion yet, or it cannot be loaded.
    """

    def __init__(self, registry: Registry, log: RequestLog | None = None) -> None:
        self.registry, self.log = registry, log
        self._refreshing = Lock()
        try:
            self._now = _load(registry.champion())
        except MlflowException as error:
            raise UserError(
                f"{registry.name}@champion cannot be loaded ({str(error).splitlines()[0][:200]})."
            ) from None

    @property
    def version(self) -> int:
        """Number of the version that answers at this moment."""
        return self._now.number

    @property
    def metadata(self) -> Any:
        """MLflow's description of the model; every version has the same signature."""
        return self._now.model.metadata

    def predict(self, data: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Answer a request; see ``ServedModel``."""
        now = self._now
        answers = None
        try:
            answers = now.model.predict(data, params=params)
        finally:
            if self.log:
                asked = data.get("history", ()) if hasattr(data, "get") else ()
                self.log.add(now.number, list(asked), answers, now.names)
        return answers

    def refresh(self) -> bool:
        """Look who is champion, and load that version when it is another; say whether it was.

        Never raises: a registry that is away, or a version that cannot be loaded, is a warning, and
        the present model goes on.
        """
        with self._refreshing:
            try:
                champion = self.registry.champion()
                if champion.number == self._now.number:
                    return False
                self._now = _load(champion)
            except Exception as error:
                _LOG.warning("version %d goes on: %s", self._now.number, error)
                return False
        _LOG.info("version %d answers from now on", self._now.number)
        return True


def _load(version: Version) -> _Loaded:
    """Load a version, which asks itself once; its files are not needed afterwards."""
    folder = tempfile.mkdtemp(prefix="recdistill-served-")
    try:
        model = mlflow.pyfunc.load_model(version.address, dst_path=folder)
        names = model.unwrap_python_model().top_k.names
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _Loaded(version.number, model, names)


class Watcher:
    """A thread that refreshes a live model and writes its log; a context manager.

    Parameters
    ----------
    live : LiveModel
    every : seconds between two looks at the registry
    log_every : seconds between two lines of the log
    """

    def __init__(self, live: LiveModel, *, every: float, log_every: float) -> None:
        self.live, self.every = live, every
        self._looks_per_line = max(1, round(log_every / every))
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="champion", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._write()

    def _watch(self) -> None:
        looks = 0
        while not self._stop.wait(self.every):
            self.live.refresh()
            looks += 1
            if looks % self._looks_per_line == 0:
                self._write()

    def _write(self) -> None:
        if self.live.log:
            try:
                self.live.log.flush()
            except OSError as error:
                _LOG.warning("requests could not be logged: %s", error)


def build_app(live: LiveModel) -> FastAPI:
    """Make the service: MLflow's own protocol (``/invocations``, ``/health``) and ``/champion``."""
    from mlflow.pyfunc.scoring_server import init

    app: FastAPI = init(live)

    @app.get("/champion")
    def champion() -> dict[str, Any]:
        """Say which version answers."""
        return {"name": live.registry.name, "version": live.version}

    return app


def serve(
    live: LiveModel, *, host: str, port: int, every: float = 10.0, log_every: float = 60.0
) -> None:
    """Answer requests until the process is asked to end (SIGTERM, Ctrl-C).

    For the main program: when its server has ended, uvicorn sends the signal again, which would
    kill the process before the last requests are counted and its temporary folder has gone.

    Raises
    ------
    SystemExit
        With status 0, after SIGTERM.
    """
    import uvicorn

    signal.signal(signal.SIGTERM, _leave)
    with Watcher(live, every=every, log_every=log_every):
        uvicorn.run(build_app(live), host=host, port=port, log_level="warning")


def _leave(*_: object) -> None:
    sys.exit(0)
