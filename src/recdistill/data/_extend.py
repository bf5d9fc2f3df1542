"""A log and what came since, by one stated rule for rows that are late, again there or corrected.

A row is the same as another when user, item and time are; the log holds as many of them as the
fuller of the two sides. So the new file may hold the new rows alone, or the whole log once more.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recdistill.data._config import parse_day
from recdistill.data._days import days_of
from recdistill.data._manifest import read_manifest
from recdistill.data._raw import Finding, first_few
from recdistill.data._sources._clocks import as_text, one_clock
from recdistill.data._store import load_prepared
from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data._config import DataConfig, LateRows
    from recdistill.data._prepared import PreparedData
    from recdistill.data._raw import RawData

_KEY = ["user", "item", "order"]
_SAME_CLEANING = ("cleaning", "min_interactions")


def prepared_at(name: str, root: Path, setting: str) -> Path:
    """Find a prepared folder by its path, or by its name among those in ``root``.

    Raises
    ------
    UserError
        When there is none, naming the setting that asked for it.
    """
    for folder in (Path(name).expanduser(), root / name):
        if (folder / "manifest.json").is_file():
            return folder
    raise UserError(
        f"{setting} is {name!r}, and neither that folder nor {root / name} holds prepared data: "
        "name a folder that prepare_data wrote."
    )


def load_parent(config: DataConfig, root: Path) -> PreparedData:
    """Read the parent, prepared by the same cleaning.

    Raises
    ------
    UserError
        When it is not there, or its rows were cleaned by other rules than are asked for now.
    """
    folder = prepared_at(config.extends, root, "extends")
    then: dict[str, Any] = read_manifest(folder)["config"]
    now = asdict(config)
    differ = [name for name in _SAME_CLEANING if then.get(name) != now[name]]
    if list(then["columns"].get("text", ())) != list(config.columns.text):
        differ.append("columns.text")
    if differ:
        raise UserError(
            f"{folder} was prepared with other {' and '.join(differ)} than are asked for now: "
            "extend it by the rules it was prepared with."
        )
    if then.get("max_users"):
        raise UserError(f"{folder} holds a sample of the users (max_users): extend the whole data.")
    return load_prepared(folder)


@dataclass(frozen=True)
class Added:
    """How many of the new file's rows were what.

    Attributes
    ----------
    new : later than the parent's newest row.
    late : not later, and not there yet.
    again : there already, left out.
    corrected : there already with another rating, which was replaced.
    """

    new: int
    late: int
    again: int
    corrected: int


def joined(log: RawData, given: RawData, late: LateRows) -> tuple[RawData, Added]:
    """Append what is new to a log.

    Parameters
    ----------
    log : RawData of the parent
    given : RawData of the new files, with or without rows that the parent has
    late : what happens to rows not later than the log's newest that it has not

    Raises
    ------
    UserError
        When the new rows have no timestamps, another kind of them, or no ratings where the log
        has some; or there are late rows and ``late`` is "refuse".
    """
    if not given.has_timestamps or "part" in given.interactions:
        raise UserError(
            "extends needs rows with timestamps, in one file: nothing says what came later."
        )
    old, new = (side.interactions.drop(columns="line", errors="ignore") for side in (log, given))
    if "rating" in old and "rating" not in new:
        raise UserError(
            "The data that is extended has ratings and the new file has none: add them."
        )
    new = new[list(old.columns)]
    names = ("The data that is extended", "the new file")
    (old, new), clock = one_clock([old, new], [log.clock, given.clock], names)
    old, new = (as_text(frame, [old, new]) for frame in (old, new))
    at = _places(old, new)
    again = at >= 0
    is_late = ~again & (new["order"] <= old["order"].max()).to_numpy()
    findings = [*given.findings]
    old, n_corrected = _corrected(old, new[again], at[again])
    n_late = int(is_late.sum())
    if n_late:
        said = f"{n_late} rows are not later than the newest row of what is extended"
        if late == "refuse":
            raise UserError(f"{said}: set late_rows to keep or drop.")
        dropped = late == "drop"
        fate = "dropped" if dropped else "kept, in their place in time"
        action = "dropped" if dropped else "kept"
        findings.append(Finding("late_rows", n_late, action, f"{said}: {fate} (late_rows)."))
    if again.any():
        said = f"{int(again.sum())} rows of the new file are there already: left out."
        findings.append(Finding("rows_again", int(again.sum()), "dropped", said))
    if n_corrected:
        said = f"{n_corrected} rows come with another rating than before: the new one counts."
        findings.append(Finding("corrected_rows", n_corrected, "repaired", said))
    added = new[~again & ~(is_late & (late == "drop"))]
    counts = Added(int((~again & ~is_late).sum()), n_late, int(again.sum()), n_corrected)
    items = _items(log.items, given.items, findings)
    rows = pd.concat([old, added], ignore_index=True)
    return replace(given, interactions=rows, items=items, findings=findings, clock=clock), counts


def until(raw: RawData, config: DataConfig) -> RawData:
    """Leave out what happened from the day ``config.until`` on: the log as it was on that morning.

    Raises
    ------
    UserError
        When the rows have no timestamps, or nothing is left.
    """
    if not config.until:
        return raw
    if not raw.has_timestamps:
        raise UserError(f"until needs timestamps, and {config.dataset} has none.")
    days = days_of(raw.interactions["order"].to_numpy(), raw.clock)
    keep = days < parse_day(config.until, "until")
    if not keep.any():
        raise UserError(f"{config.dataset} has no interaction before {config.until} (until).")
    gone = int((~keep).sum())
    said = f"{gone} interactions are from {config.until} on (until): left out."
    found = [Finding("from_until_on", gone, "dropped", said)] if gone else []
    rows = raw.interactions[keep].reset_index(drop=True)
    return replace(raw, interactions=rows, findings=[*raw.findings, *found])


def _places(old: pd.DataFrame, new: pd.DataFrame) -> NDArray[np.int64]:
    """Give for every new row the place of the old row that it repeats, or -1.

    The second of two equal rows repeats the second of two equal old ones.
    """
    at = np.full(len(new), -1, np.int64)
    known = np.flatnonzero(new["order"] <= old["order"].max())
    if not len(known):
        return at
    past = np.flatnonzero(old["order"] >= new["order"].min())
    sides = [_numbered(old.iloc[past]).assign(at=past), _numbered(new.iloc[known])]
    found = sides[1].merge(sides[0], on=[*_KEY, "n"], how="left")["at"]
    at[known] = found.fillna(-1).to_numpy(np.int64)
    return at


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    keys = rows[_KEY].astype({k: "str" for k in ("user", "item") if rows[k].dtype == "category"})
    return keys.assign(n=keys.groupby(_KEY, sort=False).cumcount())


def _corrected(
    old: pd.DataFrame, again: pd.DataFrame, at: NDArray[np.int64]
) -> tuple[pd.DataFrame, int]:
    """Put the ratings of rows that came again in the place of the old ones."""
    if "rating" not in old or not len(again):
        return old, 0
    ratings = old["rating"].to_numpy().copy()
    differ = ratings[at] != again["rating"].to_numpy()
    ratings[at] = again["rating"].to_numpy()
    return old.assign(rating=ratings), int(differ.sum())


def _items(
    old: pd.DataFrame | None, new: pd.DataFrame | None, findings: list[Finding]
) -> pd.DataFrame | None:
    """Items of both files; of an item in both the old words stay, for models were made on them."""
    if new is None:
        return old
    new = new.drop(columns="line", errors="ignore")
    if old is None:
        return new
    both = old.merge(new, on="raw_id", suffixes=("", "_now"))
    changed = both["raw_id"][(both["title"] != both["title_now"]).to_numpy(bool)]
    if len(changed):
        said = (
            f"{len(changed)} items have another title now (items {first_few(list(changed))}): kept "
            "as they were, since models and vectors were made of those words."
        )
        findings.append(Finding("changed_titles", len(changed), "kept", said))
    fresh = new[~new["raw_id"].isin(old["raw_id"])]
    return pd.concat([old, fresh], ignore_index=True).fillna("")
