"""A tracked run done again from what it recorded, and what differs, to the last digit."""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from mlflow.exceptions import MlflowException

from recdistill.config import home
from recdistill.errors import UserError
from recdistill.runs._found_anywhere import found_anywhere
from recdistill.runs._launch import launch
from recdistill.runs._lock import LOCK, Lock, build_environment
from recdistill.runs._passing import fetch_artifact
from recdistill.runs._references import STANDS_FOR, by_id_or_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mlflow import MlflowClient

    from recdistill.runs._references import RunReference
    from recdistill.runs._run import Run

# What a clock or the machine decides; the rest must come out the same.
_MEASURED = re.compile(r"^(time|memory|system|progress)/|_(seconds?|ms|mb)$")
_DIGESTS = ("catalog.digest", "split.digest")


@dataclass(frozen=True)
class Recorded:
    """What a finished run keeps of how it was made, and of what it found.

    Attributes
    ----------
    commit : of the code, whose tree was clean.
    settings : as its stage resolved them; runs that it read stand in them by id, files and folders
        by whole paths.
    digests : of the data it saw.
    packages : installed then, as ``name==version``.
    """

    id: str
    name: str
    stage: str
    commit: str
    settings: dict[str, Any]
    digests: dict[str, str]
    packages: frozenset[str]
    metrics: dict[str, float]


def read_record(client: MlflowClient, reference: str) -> Recorded:
    """Read what a run recorded; one from the cache leads to the run that computed.

    Raises
    ------
    UserError
        When there is no such run, it did not finish, or it lacks something to be repeated from:
        names everything that is missing.
    """
    run = by_id_or_name(client, reference)
    if run is None:
        raise UserError(f"No run has the id or name '{reference}'; 'recdistill runs' lists them.")
    if run.data.tags.get(STANDS_FOR):
        run = client.get_run(run.data.tags[STANDS_FOR])
    if run.info.status != "FINISHED":
        raise UserError(f"Run '{reference}' is {run.info.status}; only a finished run is verified.")
    tags = run.data.tags
    commit = tags.get("mlflow.source.git.commit", "")
    settings = yaml.safe_load(_text(run.info.artifact_uri, "config.yaml") or "{}")
    installed = _text(run.info.artifact_uri, "environment/packages.txt")
    lacking = {
        "its commit (it was not run in a git checkout)": not commit,
        f"commit {commit[:12]} in this repository (fetch it)": commit and not _has(commit),
        "a clean tree (environment/git.diff of the run keeps what was changed)": (
            tags.get("git.dirty") == "true"
        ),
        "its config.yaml": not settings,
        "its environment/packages.txt": not installed,
    }
    if missing := [what for what, lacks in lacking.items() if lacks]:
        raise UserError(f"Run '{reference}' cannot be repeated: missing is {'; '.join(missing)}.")
    return Recorded(
        str(run.info.run_id),
        run.info.run_name or str(run.info.run_id),
        tags["stage"],
        commit,
        found_anywhere(settings, tags),
        {key: tags[key] for key in _DIGESTS if key in tags},
        frozenset(installed.split()),
        dict(run.data.metrics),
    )


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """Check a commit out into a folder that goes with the block."""
    _git("worktree", "prune")  # of those whose process was killed
    _git("worktree", "add", "--detach", str(folder), commit)
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


@dataclass(frozen=True)
class Repeated:
    """A run that was done again.

    Attributes
    ----------
    packages : installed now, as ``name==version``.
    lock : of the run's commit; None where that has none.
    lock_is_ours : whether this checkout has the same one.
    rebuilt : whether the environment was made of that lock.
    """

    run: RunReference
    packages: frozenset[str]
    lock: Lock | None
    lock_is_ours: bool
    rebuilt: bool


def repeat(parent: Run, recorded: Recorded, *, rebuild: bool = False) -> Repeated:
    """Do a run again as a child of ``parent``, by the code of its commit.

    Its stage is tagged ``verified``: nothing that looks for the newest run of a stage finds it.
    With ``rebuild``, in an environment made of the commit's lock; else in this one.
    """
    settings = parent.folder / "settings.yaml"
    settings.write_text(yaml.safe_dump(recorded.settings, allow_unicode=True), "utf-8")
    with checked_out(recorded.commit, parent.folder / "tree") as tree:
        words = {"config": settings, "use_cache": "false"}
        lock, ours = Lock.read(tree), Lock.read(home())
        python = build_environment(tree, parent.folder / "environment") if rebuild else None
        again = launch(parent, recorded.stage, words, checkout=tree, python=python)
    parent.client.set_tag(again.id, "stage", "verified")
    installed = again.artifact("environment/packages.txt").read_text("utf-8")
    return Repeated(again, frozenset(installed.split()), lock, lock == ours, rebuild)


@dataclass(frozen=True)
class Verification:
    """A recorded run beside the one that was done again.

    Attributes
    ----------
    metrics, digests : rows ``| name | recorded | again |`` of what is not equal.
    packages : those of another version, or there only once; they explain, and decide nothing.
    lock : sentences about the lock and what is not as it says.
    n_compared : metrics that were looked at.
    """

    recorded: Recorded
    metrics: list[str]
    digests: list[str]
    packages: list[str]
    lock: list[str]
    n_compared: int

    def equal(self) -> bool:
        """Whether the data and every metric came out the same."""
        return not (self.metrics or self.digests)

    def counts(self) -> dict[str, float]:
        """Return the numbers of differences as metrics."""
        return {
            "verify/n_compared": self.n_compared,
            "verify/n_metrics_differing": len(self.metrics),
            "verify/n_digests_differing": len(self.digests),
            "verify/n_packages_differing": len(self.packages),
        }

    def report(self) -> str:
        """Say it: one sentence, then a table of what differs."""
        one = self.recorded
        said = (
            f"Run {one.name} ({one.stage}, commit {one.commit[:12]}) done again: "
            f"{len(self.metrics)} of {self.n_compared} metrics differ, and "
            f"{'the data is the same' if not self.digests else 'the data is another'}.\n"
        )
        if rows := self.digests + self.metrics:
            said += "\n".join(["", "| | recorded | again |", "|---|---|---|", *rows, ""])
        said += "".join(f"\n{sentence}\n" for sentence in self.lock)
        if self.packages:
            said += "\nOther packages than then: " + ", ".join(self.packages) + "\n"
        return said


def compare_records(recorded: Recorded, repeated: Repeated) -> Verification:
    """Compare all that no clock and no machine decides, to the last digit."""
    again = repeated.run
    names = {n for n in recorded.metrics.keys() | again.metrics.keys() if not _MEASURED.search(n)}
    return Verification(
        recorded,
        _rows(names, recorded.metrics, again.metrics),
        _rows(set(recorded.digests), recorded.digests, again.tags),
        sorted(recorded.packages ^ repeated.packages),
        _about_lock(recorded, repeated),
        len(names),
    )


def _about_lock(recorded: Recorded, repeated: Repeated) -> list[str]:
    lock = repeated.lock
    if lock is None:
        return [f"Commit {recorded.commit[:12]} has no {LOCK}."]
    same = "this checkout's too" if repeated.lock_is_ours else "not this checkout's"
    where = "an environment made of it" if repeated.rebuilt else "this environment"
    said = [f"The lock of then ({lock.digest[:12]}) is {same}; it was done again in {where}."]
    for when, installed in (("then", recorded.packages), ("now", repeated.packages)):
        if other := lock.otherwise(installed):
            said.append(f"Not as locked {when}: {', '.join(other)}.")
    return said


def _rows(names: set[str], before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Compare as text: every digit counts, and a NaN is equal to itself."""
    said = {
        name: [repr(side[name]) if name in side else "missing" for side in (before, after)]
        for name in sorted(names)
    }
    return [f"| {name} | {was} | {now} |" for name, (was, now) in said.items() if was != now]


def _text(artifacts: str, name: str) -> str:
    try:
        return fetch_artifact(f"{artifacts}/{name}").read_text("utf-8")
    except (MlflowException, OSError):
        return ""


def _has(commit: str) -> bool:
    asked = ["git", "-C", str(home()), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _git(*words: str) -> None:
    done = subprocess.run(
        ["git", "-C", str(home()), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(f"git {' '.join(words[:2])} failed: {' '.join(done.stderr.split())}")
