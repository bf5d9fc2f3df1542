"""What a sweep may change: knobs, and the points it must try first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import BaseTrial

_ON = ".on"


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
        if not _is_number(value):
            return False
        return self.low <= value <= self.high or (self.zero and value == 0)

    def __str__(self) -> str:
        """Say which values lie inside."""
        inside = str(list(self.choices)) if self.choices else f"[{self.low:g}, {self.high:g}]"
        return inside + (" or 0" if self.zero else "")


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
                    f"{knob}; widen that knob or change the point."
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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
