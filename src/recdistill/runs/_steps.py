"""Stages as the steps of one run: some at a time, one line each, their output kept with them."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mlflow.exceptions import MlflowException

from recdistill.runs._board import Board
from recdistill.runs._environment import hardware
from recdistill.runs._launch import Child
from recdistill.runs._references import STANDS_FOR, RunReference, children_of
from recdistill.runs._step_costs import probe_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recdistill.runs._run import Run

_PATIENCE_SECONDS = 30
OUTPUT = "output.txt"
"""Artifact of a step's run: all that it printed."""


@dataclass(frozen=True)
class Step:
    """A step that is done.

    Attributes
    ----------
    kind : what its cost is known by.
    stage, name : of its run.
    seconds, cpu_seconds : that its process took.
    reused : what was there already, in words; empty where everything was computed.
    """

    kind: str
    stage: str
    name: str
    seconds: float
    cpu_seconds: float
    reused: str


class Steps:
    """Starts stages as children of a run, ``at_once`` of them at a time, in the order asked for.

    A context manager: on the way out all have ended, in time where nothing failed, else by SIGTERM.

    Parameters
    ----------
    run : Run
    at_once : int
        With 1, :meth:`start` waits for the end.
    weights : expected seconds by kind of step, and how many there are of each.

    Attributes
    ----------
    done : what has finished, in that order.
    """

    def __init__(
        self, run: Run, *, at_once: int = 1, weights: Mapping[str, tuple[float, int]]
    ) -> None:
        self._run, self._at_once, self._weights = run, at_once, weights
        self._board = Board(sum(seconds * n for seconds, n in weights.values()))
        self._n_steps = sum(n for _, n in weights.values())
        self._pool = ThreadPoolExecutor(at_once)
        self._children: list[Child] = []
        self._ending = False
        self._futures: list[Future[RunReference]] = []
        self._began, self._load = time.monotonic(), os.getloadavg()[0]
        self.done: list[Step] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for future in self._futures:
                    future.result()
        finally:
            self._ending = True
            self._pool.shutdown(wait=False, cancel_futures=True)
            for number in (signal.SIGTERM, signal.SIGKILL):
                for child in self._children:
                    child.send(number)
                wait(self._futures, timeout=_PATIENCE_SECONDS)
            self._board.close()

    def start(self, kind: str, stage: str, parameters: Mapping[str, Any]) -> Future[RunReference]:
        """Start a stage when its turn comes.

        Raises
        ------
        UserError
            Where the result is asked for and the stage failed.
        """
        future = self._pool.submit(self._do, kind, stage, parameters)
        self._futures.append(future)
        if self._at_once == 1:
            future.result()
        return future

    def record(self) -> dict[str, Any]:
        """Return what everything took so far, and on which machine."""
        own = os.times()
        steps = [asdict(step) for step in self.done]
        return {
            "machine": {key: hardware()[key] for key in ("cpu", "cpu_count", "memory_mb")},
            "probe_seconds": probe_seconds(),
            "load": [self._load, os.getloadavg()[0]],
            "at_once": self._at_once,
            "wall_seconds": time.monotonic() - self._began,
            "cpu_seconds": own.user + own.system + sum(step["cpu_seconds"] for step in steps),
            "steps": steps,
        }

    def table(self) -> str:
        """Return the steps as a table for a run's page."""
        lines = ["| step | run | seconds | CPU seconds | |", "|---|---|---:|---:|---|"]
        for step in self.done:
            took = f"{step.seconds:.0f} | {step.cpu_seconds:.0f}"
            lines.append(f"| {step.stage} | {step.name} | {took} | {step.reused} |")
        return "\n".join(lines)

    def _do(self, kind: str, stage: str, parameters: Mapping[str, Any]) -> RunReference:
        began = time.monotonic()
        seconds, _ = self._weights[kind]
        output = Path(tempfile.mkdtemp(dir=self._run.folder)) / OUTPUT
        with output.open("wb") as file, self._board.follow(seconds, stage) as pipe:
            child = Child(
                self._run, stage, parameters, output=file, progress=pipe, threads=self._threads()
            )
            self._children.append(child)
            if self._ending:
                child.send(signal.SIGTERM)
            try:
                found = child.wait()
            finally:
                with suppress(MlflowException, OSError):  # the words alone are no reason to fail
                    self._run.client.log_artifact(child.run_id, str(output))
        self._run.client.log_metric(child.run_id, "time/cpu_seconds", child.cpu_seconds)
        tags = self._run.client.get_run(child.run_id).data.tags
        # A run of several models says how many of them were there already.
        some = tags.get("reused", "0 of")
        reused = "" if some.startswith("0 of") else f"{some} reused"
        reused = "reused" if STANDS_FOR in tags else reused
        step = Step(kind, stage, found.name, time.monotonic() - began, child.cpu_seconds, reused)
        self.done.append(step)
        self._board.say(self._line(step, found))
        return found

    def _threads(self) -> int | None:
        """Share the processors among the steps that are done at the same time."""
        return max(1, (os.cpu_count() or 1) // self._at_once) if self._at_once > 1 else None

    def _line(self, step: Step, run: RunReference) -> str:
        nth = f"{len(self.done):>2}/{self._n_steps}"
        took = "reused" if step.reused == "reused" else f"{step.seconds:.0f} s"
        return f"{nth} {step.stage:<17} {step.name:<30} {self._figures(run):<43} {took:>6}"

    def _figures(self, run: RunReference) -> str:
        """Say in a few words what came out."""
        found = run.metrics
        if "test/recall_at_10" in found:
            return (
                f"recall@10 {found['test/recall_at_10']:.3f}, NDCG@10 "
                f"{found['test/ndcg_at_10']:.3f}"
            )
        if "data/n_users" in found:
            return (
                f"{found['data/n_users']:,.0f} users, {found['data/n_items']:,.0f} items, "
                f"{found['data/n_interactions']:,.0f} events"
            )
        below = [
            one.metrics["test/ndcg_at_10"]
            for one in children_of(self._run.client, run.id)
            if "test/ndcg_at_10" in one.metrics
        ]
        return f"NDCG@10 {min(below):.3f} to {max(below):.3f}" if below else ""
