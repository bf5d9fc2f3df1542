"""Numbers for the ids of users and items as the files have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recdistill.data._order import renumbered

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPREAD = 4
"""Numbers that spread over no more than this many times the rows are coded by a table."""


def number_ids(values: pd.Series) -> tuple[NDArray[np.int32], pd.Index]:
    """Code distinct ids by their natural order, 2 before 10, whatever the order of the rows."""
    if pd.api.types.is_integer_dtype(values.dtype):
        numbers = values.to_numpy()
        lowest, highest = int(numbers.min()), int(numbers.max())
        if highest - lowest <= _SPREAD * len(numbers) and highest < 2**62:
            shifted = numbers.astype(np.int64, copy=False) - lowest
            seen = np.zeros(highest - lowest + 1, bool)
            seen[shifted] = True
            return renumbered(shifted, seen), pd.Index(np.flatnonzero(seen) + lowest)
    codes, found = pd.factorize(values)
    if pd.api.types.is_integer_dtype(found.dtype):
        ids = pd.Index(found)
        rank = np.argsort(ids.to_numpy(), kind="stable")
    else:
        ids = pd.Index(found).astype("str")
        names = pd.Series(ids)
        digits = names.str.fullmatch(r"[0-9]{1,18}").to_numpy(bool)
        number = names.where(digits, "0").astype(np.int64).to_numpy()
        # Arrow sorts text where it lies: one long id must not widen all others, as numpy would.
        keys = pa.table({"word": ~digits, "number": number, "name": pa.array(names, pa.string())})
        by = [(key, "ascending") for key in keys.column_names]
        rank = pc.sort_indices(keys, sort_keys=by).to_numpy()
    place = np.empty(len(rank), np.int32)
    place[rank] = np.arange(len(rank), dtype=np.int32)
    return place[codes], ids[rank]
