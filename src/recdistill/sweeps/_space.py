"""What a sweep may change: a commented YAML of knobs, and the points it must try first."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from recdistill.config import conf_folder
from recdistill.errors import UserError
from recdistill.sweeps._settings import type_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import BaseTrial

_ON = ".on"
_KEYS = {"range", "choices", "log", "zero", "when"}


@dataclass(frozen=True)
class Knob:
    """One setting and what it may be.

    Attributes
    ----------
    name : dotted name of a setting of the swept stage.
    low, high : bounds of a range, both inside it.
    choices : instead of a range.
    log : whether the range is searched by ratio instead of by difference.
    zero : whether 0 is tried beside the range; a range by ratio cannot reach it.
    whole : whether only whole numbers are meant.
    when : other knobs' values under which this one matters; elsewhere it is not asked for. An
        empty tuple means any value but 0.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[Any, ...] = ()
    log: bool = False
    zero: bool = False
    whole: bool = False
    when: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def asked(self, chosen: Mapping[str, Any]) -> bool:
        """Whether this knob matters beside the values chosen already."""
        return all(
            chosen.get(name) in values if values else bool(chosen.get(name))
            for name, values in self.when.items()
        )

    def suggest(self, trial: BaseTrial) -> Any:
        """Ask the sampler for a value."""
        if self.choices:
            return trial.suggest_categorical(self.name, list(self.choices))
        if self.zero and not trial.suggest_categorical(self.name + _ON, [True, False]):
            return 0 if self.whole else 0.0
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)

    def fixed(self, value: Any) -> dict[str, Any]:
        """Return the parameters by which the sampler is told ``value``."""
        if self.choices or not self.zero:
            return {self.name: value}
        return {self.name + _ON: bool(value)} | ({self.name: value} if value else {})

    def holds(self, value: Any) -> bool:
        """Whether ``value`` lies inside."""
        if self.choices:
            return value in self.choices
        return self.low <= value <= self.high or (self.zero and value == 0)


@dataclass(frozen=True)
class Space:
    """Knobs in the order they are asked for, points to try first, and what stays fixed.

    Attributes
    ----------
    knobs : dict by name
    points : dict of settings by readable name
        Knobs that a point does not name keep the stage's own value.
    fixed : dict
        Settings that every trial has in common.
    """

    knobs: dict[str, Knob]
    points: dict[str, dict[str, Any]] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)

    def suggest(self, trial: BaseTrial) -> dict[str, Any]:
        """Ask the sampler for a trial's settings."""
        chosen: dict[str, Any] = {}
        for name, knob in self.knobs.items():
            if knob.asked({**self.fixed, **chosen}):
                chosen[name] = knob.suggest(trial)
        return chosen

    def parameters(self, point: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
        """Return a point as the sampler's parameters.

        Parameters
        ----------
        point : settings by name
        own : the stage's own settings, for what the point does not name.

        Raises
        ------
        UserError
            When a value lies outside its knob's range.
        """
        chosen: dict[str, Any] = {}
        out: dict[str, Any] = {}
        for name, knob in self.knobs.items():
            if not knob.asked({**self.fixed, **chosen}):
                continue
            value = point[name] if name in point else own[name]
            if not knob.holds(value):
                raise UserError(
                    f"A point of the search space has {name}={value}, outside of "
                    f"{_said(knob)}; widen that knob or change the point."
                )
            chosen[name] = value
            out.update(knob.fixed(value))
        return out

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a finished trial's settings from the sampler's parameters."""
        out: dict[str, Any] = {}
        for name, knob in self.knobs.items():
            if name in params:
                out[name] = params[name]
            elif params.get(name + _ON) is False:
                out[name] = 0 if knob.whole else 0.0
        return out


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
    named = folder / f"{text or stage}.yaml"
    where, content = f"the space {text!r}", text
    if named.is_file():
        where, content = str(named), named.read_text(encoding="utf-8")
    elif ":" not in text:
        if not Path(text).is_file():
            known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
            raise UserError(
                f"There is no search space '{text}'; give a YAML file, one of {known}, or knobs as "
                "in space='{lr: {range: [0.001, 0.01], log: true}}'."
            )
        where, content = text, Path(text).read_text(encoding="utf-8")
    try:
        plain = yaml.safe_load(content)
    except yaml.YAMLError as error:
        raise UserError(f"In {where}: {' '.join(str(error).split())}.") from None
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
        For a setting the stage does not have, or a knob that cannot be searched.
    """
    for section in plain:
        if section not in ("knobs", "points", "fixed"):
            raise UserError(f"A search space has knobs, points and fixed; not '{section}'.")
    knobs = plain.get("knobs") or {}
    points = plain.get("points") or {}
    fixed = plain.get("fixed") or {}
    for name in (*knobs, *fixed, *(n for point in points.values() for n in point)):
        if type_of(name, types) is None:
            close = difflib.get_close_matches(name, types, n=1, cutoff=0.5)
            hint = f"did you mean '{close[0]}'?" if close else f"conf/{stage}.yaml has all."
            raise UserError(f"The search space names '{name}', no setting of {stage}; {hint}")
    for name, point in points.items():
        if stray := [n for n in point if n not in knobs]:
            raise UserError(f"Point '{name}' sets {stray[0]}, which is no knob of the space.")
    built = {name: _knob(name, spec, type_of(name, types)) for name, spec in knobs.items()}
    if not built:
        raise UserError("The search space has no knobs, so there is nothing to search.")
    earlier: set[str] = set(fixed)
    for name, knob in built.items():
        if late := set(knob.when) - earlier:
            raise UserError(
                f"Knob '{name}' depends on '{late.pop()}', which must be a knob above it."
            )
        earlier.add(name)
    return Space(built, {name: dict(point) for name, point in points.items()}, dict(fixed))


def _knob(name: str, spec: Any, kind: type) -> Knob:
    if isinstance(spec, list):
        spec = {"choices": spec}
    if not isinstance(spec, dict) or not ("range" in spec) ^ ("choices" in spec):
        raise UserError(f"Knob '{name}' needs either range: [low, high] or choices: [a, b].")
    if unknown := set(spec) - _KEYS:
        raise UserError(f"Knob '{name}' has '{unknown.pop()}'; known are {', '.join(_KEYS)}.")
    when = spec.get("when", {})
    if isinstance(when, str):
        when = {when: []}
    when = {n: tuple(v) if isinstance(v, list) else (v,) for n, v in when.items()}
    if "choices" in spec:
        if not isinstance(spec["choices"], list) or not spec["choices"]:
            raise UserError(f"Knob '{name}': choices must be a list with at least one value.")
        return Knob(name, choices=tuple(spec["choices"]), when=when)
    try:
        low, high = (float(bound) for bound in spec["range"])
    except (TypeError, ValueError):
        raise UserError(f"Knob '{name}': range must be two numbers, [low, high].") from None
    log = bool(spec.get("log", False))
    if kind not in (int, float):
        raise UserError(f"Knob '{name}' is no number; give it choices instead of a range.")
    if not low < high or (log and low <= 0):
        raise UserError(
            f"Knob '{name}': the range [{low:g}, {high:g}] must rise"
            + (", and start above 0 with log: true (zero: true adds 0)." if log else ".")
        )
    return Knob(name, low, high, (), log, bool(spec.get("zero", False)), kind is int, when)


def _said(knob: Knob) -> str:
    inside = str(list(knob.choices)) if knob.choices else f"[{knob.low:g}, {knob.high:g}]"
    return inside + (" or 0" if knob.zero else "")
