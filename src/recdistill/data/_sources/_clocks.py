"""Several files' rows brought to one measure of time and one kind of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.data._readers._clock import PER_SECOND
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data._raw import Clock


def one_clock(
    frames: Sequence[pd.DataFrame], clocks: Sequence[Clock], names: Sequence[str]
) -> tuple[list[pd.DataFrame], Clock]:
    """Return the files' rows with ``order`` in one measure, and which that is.

    Parameters
    ----------
    frames : one for each file, with the column ``order``
    clocks : what each counts
    names : what to call the files in a message

    Raises
    ------
    UserError
        When they count what cannot be compared: dates, plain numbers, or nothing.
    """
    if len(set(clocks)) == 1:
        return list(frames), clocks[0]
    if "" in clocks:
        without = [name for name, clock in zip(names, clocks, strict=True) if not clock]
        raise UserError(
            f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no timestamps while "
            "the other files have: give all of them the column, or none."
        )
    if "number" in clocks:
        plain = [name for name, clock in zip(names, clocks, strict=True) if clock == "number"]
        raise UserError(
            f"{' and '.join(plain)} gives timestamps as numbers while the other files give dates: "
            "write all of them in one way."
        )
    finest = max(clocks, key=PER_SECOND.__getitem__)
    out = []
    for name, frame, clock in zip(names, frames, clocks, strict=True):
        times = PER_SECOND[finest] // PER_SECOND[clock]
        if frame["order"].abs().max() > np.iinfo(np.int64).max // times:
            raise UserError(
                f"{name} has dates too far from today to be counted in {finest}, as the "
                "other files' dates are: write all of them in one unit."
            )
        out.append(frame.assign(order=frame["order"] * times))
    return out, finest


def as_text(frame: pd.DataFrame, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Ids as text where any of the files has them as text."""
    mixed = [
        key
        for key in ("user", "item")
        if not all(pd.api.types.is_integer_dtype(f[key].dtype) for f in frames)
    ]
    return frame.assign(**{key: frame[key].astype("str") for key in mixed})
