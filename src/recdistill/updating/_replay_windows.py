"""One log cut into the states that it went through, each grown from the one before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from recdistill.data import Cleaning, Columns, DataConfig, Rolling, prepare
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data import PreparedData


def past_states(data: PreparedData, n_windows: int, rolling: Rolling) -> list[PreparedData]:
    """Prepare the data as they were at the end of each of the last windows, and one before.

    Parameters
    ----------
    data : PreparedData
        Whose log is replayed, whatever its split.
    n_windows : int
    rolling : Rolling
        The windows, each tested by its own state.

    Returns
    -------
    list of n_windows + 1 PreparedData, each extending the one before it.

    Raises
    ------
    UserError
        When the data keep no log with a clock, or it is too short for so many windows.
    """
    if "days" not in data.manifest:
        raise UserError(
            f"{data.folder} says nothing of its days: windows need timestamps, and data prepared "
            "by this version (use_cache=false prepares it again)."
        )
    then = data.manifest["config"]
    config = DataConfig(
        dataset=data.dataset,
        data_path=str(data.folder),
        split="rolling",
        rolling=rolling,
        cleaning=Cleaning(**then["cleaning"]),
        min_interactions=then["min_interactions"],
        columns=Columns(text=tuple(then["columns"].get("text", ()))),
    )
    first, last = (date.fromisoformat(day) for day in data.manifest["days"])
    states: list[PreparedData] = []
    for back in range(n_windows, -1, -1):
        until = last + timedelta(days=1 - back * rolling.days)
        if until - timedelta(days=2 * rolling.days) <= first:
            raise UserError(
                f"{data.dataset} lasts from {first} to {last}: too short for {n_windows} windows "
                f"of {rolling.days} days with something to train on before them."
            )
        extends = str(states[-1].folder) if states else ""
        states.append(
            prepare(replace(config, until=until.isoformat(), extends=extends), data.folder.parent)
        )
    return states
