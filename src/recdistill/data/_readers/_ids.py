"""Ids of any column type as one kind of id, by one stated rule.

An id is text without surrounding space. A number stands for its usual writing: ``1``, ``1.0`` and
the number one are the same id, ``01`` is another. Whole numbers of any size are exact; a
floating-point column is refused where neighbouring numbers can no longer be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recdistill.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WITH_DECIMALS = r"^(-?[0-9]+)\.0+$"
_CONTROL = r"[\x00-\x1f\x7f]"


@dataclass(frozen=True)
class Ids:
    """A column of ids.

    Attributes
    ----------
    column : Series of whole numbers, or a categorical of text; of no meaning where ``wrong`` says
    wrong : (mask over the rows, what is wrong with them), for every fault that occurs
    n_rewritten : distinct ids that lost their decimals (``1.0`` became ``1``)
    """

    column: pd.Series
    wrong: list[tuple[NDArray[np.bool_], str]] = field(default_factory=list)
    n_rewritten: int = 0


def ids(values: pd.Series, name: str, role: str) -> Ids:
    """Read a column of ids; ``role`` is what messages call it ("user id").

    Raises
    ------
    UserError
        For floating-point ids so large that two of them may already have become one.
    """
    if pd.api.types.is_integer_dtype(values.dtype):
        missing = values.isna().to_numpy(bool)
        if not missing.any():
            return Ids(pd.Series(values.to_numpy()))
        return Ids(pd.Series(values.fillna(0).to_numpy()), [(missing, f"no {role}")])
    if pd.api.types.is_float_dtype(values.dtype):
        return _of_floats(values, name, role)
    return _of_text(values, role)


def _of_floats(values: pd.Series, name: str, role: str) -> Ids:
    """Whole numbers that a writer turned into floats, as it does where one is missing."""
    numbers = values.to_numpy(np.float64, na_value=np.nan)
    missing = np.isnan(numbers)
    whole = np.isfinite(numbers) & (numbers == np.floor(numbers))
    bits = np.finfo(values.to_numpy(na_value=np.nan).dtype).nmant + 1
    if np.abs(numbers[whole]).max(initial=0) >= 2.0**bits:
        raise UserError(
            f"{name} holds {role}s as floating-point numbers of 2^{bits} and more, where "
            "neighbouring ids are one number: write the column as whole numbers or as text."
        )
    wrong = [(missing, f"no {role}"), (~whole & ~missing, f"{role} is not a whole number")]
    return Ids(pd.Series(np.where(whole, numbers, 0).astype(np.int64)), _those_that_occur(wrong))


def _of_text(values: pd.Series, role: str) -> Ids:
    """Text, or whatever has one; the rule is applied once to each distinct value."""
    codes, found = pd.factorize(values)
    stripped = pd.Series(pd.Index(found).astype("str")).str.strip()
    text = stripped.str.replace(_WITH_DECIMALS, r"\1", regex=True)
    faults = {
        f"no {role}": ((text == "") | (text.str.lower() == "nan")).to_numpy(bool),
        f"{role} holds a control character": text.str.contains(_CONTROL, regex=True).to_numpy(bool),
    }
    number, names = pd.factorize(text)
    wrong = [(codes < 0, f"no {role}")]
    # The appended element is what code -1, a missing value, looks up.
    wrong += [(np.append(fault, False)[codes], what) for what, fault in faults.items()]
    one_number = np.append(number, -1)[codes]
    categorical = pd.Categorical.from_codes(one_number, categories=pd.Index(names))
    return Ids(pd.Series(categorical), _those_that_occur(wrong), int((text != stripped).sum()))


def _those_that_occur(
    wrong: list[tuple[NDArray[np.bool_], str]],
) -> list[tuple[NDArray[np.bool_], str]]:
    return [(mask, what) for mask, what in wrong if mask.any()]
