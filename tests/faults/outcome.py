"""What a folder of runs holds, as it is compared: to the last digit and the last bit."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

# What a clock or the machine decides.
_MEASURED = re.compile(r"^(time|memory|system|progress)/|_(seconds?|ms|mb)$")


@dataclass(frozen=True)
class Outcome:
    """A finished run: its metrics, and the digests of its weights and of what it recommends."""

    id: str
    metrics: dict[str, float]
    files: dict[str, str]


def newest(folder: Path, stage: str) -> Outcome:
    """Read a folder's newest finished run of a stage."""
    with sqlite3.connect(folder / "mlflow.db") as rows:
        run, place = rows.execute(
            "SELECT r.run_uuid, r.artifact_uri FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid "
            "WHERE t.key = 'stage' AND t.value = ? AND r.status = 'FINISHED' "
            "ORDER BY r.start_time DESC LIMIT 1",
            (stage,),
        ).fetchone()
        origin = rows.execute(
            "SELECT r.artifact_uri FROM runs r JOIN tags t ON t.value = r.run_uuid "
            "WHERE t.run_uuid = ? AND t.key = 'cache.hit_of'",
            (run,),
        ).fetchone()
        values = dict(
            rows.execute("SELECT key, value FROM latest_metrics WHERE run_uuid = ?", (run,))
        )
    artifacts = Path((origin[0] if origin else place).removeprefix("file://"))
    files = digests(artifacts, "*.safetensors") | digests(folder / "recommendations", "*.parquet")
    metrics = {key: v for key, v in values.items() if not _MEASURED.search(key)}
    return Outcome(run, metrics, files)


def digests(folder: Path, pattern: str) -> dict[str, str]:
    """Return the digest of every such file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob(pattern))
    }


def statuses(folder: Path) -> dict[str, str]:
    """Return the status of every run of a folder."""
    with sqlite3.connect(folder / "mlflow.db") as rows:
        return dict(rows.execute("SELECT run_uuid, status FROM runs"))


def kept_files(folder: Path) -> set[str]:
    """Name what lies in the temporary folder, and in the state but for its locks."""
    state = folder / ".recdistill"
    kept = [path for path in state.rglob("*") if path.is_file() and path.suffix != ".lock"]
    kept += [path for path in (state / "scratch").glob("*") if path.is_dir()]
    named = {path.relative_to(folder).as_posix() for path in kept}
    return named | {f"temporary: {path.name}" for path in temporary(folder).iterdir()}


def temporary(folder: Path) -> Path:
    """Return the temporary folder of what works in a folder: a short path, as sockets need it."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    short = Path(tempfile.gettempdir()) / f"kill-{name}"
    short.mkdir(exist_ok=True)
    return short


def remove(folder: Path) -> None:
    """Remove a folder and its temporary one."""
    shutil.rmtree(temporary(folder))
    shutil.rmtree(folder)


def finished_trials(folder: Path) -> int:
    """Count the trials of sweeps that the mirror shows as finished, each number once."""
    with sqlite3.connect(folder / "mlflow.db") as rows:
        return int(
            rows.execute(
                "SELECT COUNT(DISTINCT n.value) FROM tags n JOIN tags s ON s.run_uuid = n.run_uuid "
                "WHERE n.key = 'trial.number' AND s.key = 'state' "
                "AND s.value IN ('complete', 'pruned')"
            ).fetchone()[0]
        )
