"""Search spaces as people write them, a commented YAML; every mistake in one sentence."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.config import conf_folder, parse_yaml, read_text
from recdistill.errors import UserError
from recdistill.sweeps._settings import type_of
from recdistill.sweeps._space import Knob, Space

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTIONS = ("knobs", "points", "fixed")
_TOLD = "student.query_time"
_KEYS = ("range", "choices", "log", "zero", "when")


def read_space(text: str, stage: str) -> dict[str, Any]:
    """Read a space as plain values: a file, a name in ``conf/spaces``, or the YAML itself.

    Parameters
    ----------
    text : empty is ``conf/spaces/<stage>.yaml``.

    Raises
    ------
    UserError
        When there is no such file, or it is no YAML of the known form.
    """
    folder = conf_folder() / "spaces"
    where, content = f"The space {_short(text)}", text
    if named := _file(folder / f"{text or stage}.yaml"):
        where, content = str(named), read_text(named, str(named))
    elif ":" not in text:
        if not (own := _file(Path(text))):
            known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
            raise UserError(
                f"There is no search space {_short(text)}; give a YAML file, one of {known}, or "
                "knobs as in space='{lr: {range: [0.001, 0.01], log: true}}'."
            )
        where, content = text, read_text(own, text)
    plain = parse_yaml(content, where)
    if not isinstance(plain, dict):
        raise UserError(f"{where} must hold 'knobs:' and below it one line for each knob.")
    return plain if "knobs" in plain else {"knobs": plain}


def build_space(plain: Mapping[str, Any], types: Mapping[str, type], stage: str) -> Space:
    """Check a space against the stage's settings.

    Parameters
    ----------
    plain : as :func:`read_space` returns it
    types : type of every setting of the stage by dotted name
    stage : for the messages

    Raises
    ------
    UserError
        For a setting the stage does not have, a knob that cannot be searched, or trials of
        another protocol than the baseline's.
    """
    for section in plain:
        if section not in _SECTIONS:
            raise UserError(f"A search space has knobs, points and fixed; not {_short(section)}.")
    knobs, points, fixed = (
        _mapping(plain.get(name), f"'{name}' of the space") for name in _SECTIONS
    )
    points = {name: _mapping(point, f"Point {_short(name)}") for name, point in points.items()}
    for name in (*knobs, *fixed, *(n for point in points.values() for n in point)):
        _require_setting(name, types, stage)
    for name, point in points.items():
        if stray := [n for n in point if n not in knobs]:
            raise UserError(f"Point {_short(name)} sets {stray[0]}, which is no knob of the space.")
    built = {name: _knob(name, spec, type_of(name, types)) for name, spec in knobs.items()}
    if not built:
        raise UserError("The search space has no knobs, so there is nothing to search.")
    searched = built[_TOLD].choices if _TOLD in built else ()
    if "known" in (*searched, fixed.get(_TOLD)):
        raise UserError(
            f"The search space has {_TOLD}=known, and a sweep measures its trials beside a "
            "baseline that is not told when targets happen: leave it out, and train such models "
            "with train_baseline."
        )
    earlier: set[str] = set(fixed)
    for name, knob in built.items():
        if late := [other for other in knob.when if other not in earlier]:
            raise UserError(
                f"Knob '{name}' depends on {_short(late[0])}, which must be a knob above it."
            )
        earlier.add(name)
    return Space(built, points, fixed)


def _knob(name: str, spec: Any, kind: type) -> Knob:
    if isinstance(spec, list):
        spec = {"choices": spec}
    if not isinstance(spec, dict) or not ("range" in spec) ^ ("choices" in spec):
        raise UserError(f"Knob '{name}' needs either range: [low, high] or choices: [a, b].")
    if unknown := [key for key in spec if key not in _KEYS]:
        raise UserError(f"Knob '{name}' has {_short(unknown[0])}; known are {', '.join(_KEYS)}.")
    when = _when(name, spec.get("when"))
    if "choices" in spec:
        return Knob(name, choices=_choices(name, spec["choices"]), when=when)
    try:
        low, high = (float(bound) for bound in spec["range"])
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"Knob '{name}': range must be two numbers, [low, high].") from None
    log, zero, whole = _flag(name, spec, "log"), _flag(name, spec, "zero"), kind is int
    said = f"Knob '{name}': the range [{low:g}, {high:g}] must"
    if kind not in (int, float):
        raise UserError(f"Knob '{name}' is no number; give it choices instead of a range.")
    if not math.isfinite(high - low):
        raise UserError(f"{said} have finite bounds.")
    if not low < high or (log and low <= 0):
        start = ", and start above 0 with log: true (zero: true adds 0)" if log else ""
        raise UserError(f"{said} rise{start}.")
    if whole and not (low.is_integer() and high.is_integer()):
        raise UserError(f"{said} have whole bounds, as the setting has.")
    return Knob(name, low, high, (), log, zero, whole, when)


def _when(name: str, said: Any) -> dict[str, tuple[Any, ...]]:
    if isinstance(said, str):
        said = {said: []}
    if said is not None and not isinstance(said, dict):
        raise UserError(
            f"Knob '{name}': when must name a knob, or a knob and its values as in "
            "when: {loss: [gbce]}."
        )
    return {n: tuple(v) if isinstance(v, list) else (v,) for n, v in (said or {}).items()}


def _choices(name: str, said: Any) -> tuple[Any, ...]:
    if not isinstance(said, list) or not said:
        raise UserError(f"Knob '{name}': choices must be a list with at least one value.")
    # What a study keeps and finds again: plain values, and a NaN is not equal to itself.
    if odd := [v for v in said if not isinstance(v, str | int | float | None) or v != v]:
        raise UserError(
            f"Knob '{name}': the choice {_short(odd[0])} is no text, number, true, false or null."
        )
    return tuple(said)


def _flag(name: str, spec: Mapping[str, Any], key: str) -> bool:
    said = spec.get(key, False)
    if not isinstance(said, bool):
        raise UserError(f"Knob '{name}': {key} must be true or false, not {_short(said)}.")
    return said


def _mapping(said: Any, what: str) -> dict[Any, Any]:
    if said is not None and not isinstance(said, dict):
        raise UserError(f"{what} must be 'name: value' lines, not {_short(said)}.")
    return dict(said or {})


def _require_setting(name: Any, types: Mapping[str, type], stage: str) -> None:
    if isinstance(name, str) and type_of(name, types) is not None:
        return
    close = difflib.get_close_matches(str(name), types, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'?" if close else f"conf/{stage}.yaml has all."
    raise UserError(f"The search space names {_short(name)}, no setting of {stage}; {hint}")


def _file(path: Path) -> Path | None:
    try:
        return path if path.is_file() else None
    except OSError:  # longer than a file's name may be: no name
        return None


def _short(value: Any) -> str:
    """Quote what was written, in one line and not longer than a line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
