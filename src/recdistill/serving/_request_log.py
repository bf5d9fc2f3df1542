"""A service's log of requests: one line of counts per period, in files by day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import TYPE_CHECKING

from recdistill.errors import UserError
from recdistill.serving._traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from recdistill.serving._names import ItemNames


def _utc() -> datetime:
    return datetime.now(UTC)


class RequestLog:
    """Counts requests and appends a line per version to ``requests-<day>.jsonl`` now and then.

    Parameters
    ----------
    folder : Path
    clock : callable
        Returns the time of day, with its zone.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime] = _utc) -> None:
        self.folder, self._clock = folder, clock
        self._lock = Lock()
        self._begun = clock()
        self._counts: dict[int, Traffic] = {}

    def add(
        self,
        version: int,
        histories: Sequence[Any],
        answers: Sequence[Mapping[str, Any]] | None,
        names: ItemNames,
    ) -> None:
        """Count a request that this version answered, or refused; see ``Traffic.add_request``."""
        one = Traffic()
        one.add_request(histories, answers, names)
        with self._lock:
            self._counts.setdefault(version, Traffic()).add(one)

    def flush(self) -> None:
        """Write what was counted since the last time; nothing where nobody asked."""
        with self._lock:
            counts, self._counts = self._counts, {}
            begun, self._begun = self._begun, self._clock()
        if not counts:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        ended = self._begun
        span = {"from": begun.isoformat(), "to": ended.isoformat()}
        lines = [
            json.dumps({**span, "version": version, **traffic.plain()}) + "\n"
            for version, traffic in sorted(counts.items())
        ]
        # One write: a kill leaves whole lines, and a broken last one is passed over when read.
        with (self.folder / f"requests-{ended:%Y-%m-%d}.jsonl").open("a", encoding="utf-8") as file:
            file.write("".join(lines))


@dataclass(frozen=True)
class Logged:
    """What a log says of some hours.

    Attributes
    ----------
    traffic : Traffic
    n_lines, n_broken : int
        Lines counted, and lines left out because their writing was cut off.
    """

    traffic: Traffic
    n_lines: int
    n_broken: int


def read_log(folder: Path, *, version: int, until: datetime, hours: float) -> Logged:
    """Add up what a version answered in the hours before ``until``.

    Raises
    ------
    UserError
        When the folder holds no log at all.
    """
    # The files' days are UTC's: east of it a day begins while the day before is written there.
    until = until.astimezone(UTC)
    files = sorted(folder.glob("requests-*.jsonl"))
    if not files:
        raise UserError(
            f"{folder} holds no request log (requests-*.jsonl): name the folder that 'recdistill "
            "serve --log' writes."
        )
    since = until - timedelta(hours=hours)
    # A line belongs to the day on which its period ended.
    days = {f"requests-{since + timedelta(days=d):%Y-%m-%d}" for d in range(int(hours // 24) + 2)}
    traffic, n_lines, n_broken = Traffic(), 0, 0
    for path in files:
        for number, values in _lines(path) if path.stem in days else ():
            if values is None:
                n_broken += 1
            elif values["version"] == version and since < _time(values["to"]) <= until:
                traffic.add(Traffic.of_plain(values, f"{path}, line {number},"))
                n_lines += 1
    return Logged(traffic, n_lines, n_broken)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield number and content of every line; None for one that is none of ours."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                values = json.loads(line)
                _time(values["to"]), values["version"]
            except (ValueError, KeyError, TypeError):
                values = None
            yield number, values


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
