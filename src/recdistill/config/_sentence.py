"""A parser's complaint, said in one sentence a user can act on."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNKNOWN = (
    r"unrecognized arguments: (\S+)",
    r"Option '([^']+)' is not accepted",
    r'No action for key "([^"]+)"',
)

_LONGEST = 1000  # a setting of any length must not fill the terminal


def sentence(stage: str, where: str, complaint: str, names: Sequence[str]) -> str:
    """Say what is wrong, where, and what is meant.

    Parameters
    ----------
    stage, where : str
        The entry point and the file (or command line) that holds the mistake.
    complaint : str
        The parser's own text.
    names : parameters the stage knows, for a suggestion.
    """
    complaint = complaint if len(complaint) <= _LONGEST else f"{complaint[:_LONGEST]} ..."
    for pattern in _UNKNOWN:
        if found := re.search(pattern, complaint):
            key = found.group(1).lstrip("-").split("=")[0]
            close = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
            hint = f"; did you mean '{close[0]}'?" if close else "."
            return (
                f"In {where}: '{key}' is no parameter of {stage}{hint} conf/{stage}.yaml has all."
            )
    if key_found := re.search(r'Parser key "([^"]+)"', complaint):
        value = re.search(r"(?:Got|Given) value: (.*)", complaint)
        shown = f"'{value.group(1).strip()}'" if value else "the value given"
        return (
            f"In {where}: {key_found.group(1)} of {stage} must be "
            f"{_expected(complaint)}, not {shown}."
        )
    if missing := re.search(r"argument --(\S+): expected one argument", complaint):
        return f"In {where}: --{missing.group(1)} of {stage} needs a value after it."
    return f"In {where}: {' '.join(complaint.split())} ({stage}; see conf/{stage}.yaml)."


def _expected(complaint: str) -> str:
    several = re.search(r"Subtypes: \[(.*)\]", complaint)
    single = re.search(r"Expected an? (.+?)(?:\. Got|\n|$)", complaint)
    kinds = several.group(1) if several else single.group(1) if single else "of another type"
    kinds = re.sub(r"<class '(?:\w+\.)*(\w+)'>", r"\1", kinds).replace("NoneType", "null")
    kinds = re.sub(r"typing\.Literal\[(.*)\]", r"one of \1", kinds)
    for python, plain in (("int", "a whole number"), ("float", "a number"), ("str", "a text")):
        kinds = re.sub(rf"\b{python}\b", plain, kinds)
    # Older parsers name it first.
    kinds = re.sub(r"^null, (.*)$", r"\1, null", kinds)
    return kinds.replace(", null", " or null")
