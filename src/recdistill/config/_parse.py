"""Command line + YAML + preset -> one typed, checked dataclass."""

from __future__ import annotations

import argparse
import warnings
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import jsonargparse

from recdistill.config._files import conf_folder, merged, read_yaml
from recdistill.config._sentence import sentence
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

C = TypeVar("C")

AUTO = "auto"
"""The MLproject default of a parameter whose value the YAML files decide."""

# A whole number of 400 digits for a fraction; what argparse does where it is told not to.
_OTHERS = (OverflowError, SystemExit)


def parse(
    config_type: type[C],
    stage: str,
    argv: Sequence[str],
    settings: Mapping[str, Any] | None = None,
) -> C:
    """Build a stage's settings; the later source wins.

    1. the dataclass defaults; 2. ``conf/<stage>.yaml``; 3. ``conf/presets/<preset>.yaml``, its
    section for the stage, first ``all`` and then the data set's own; 4. the file named by
    ``--config``; 5. ``settings``, plain values as :func:`as_plain` gives them (how a program asks
    for a stage, or reads a run's settings back); 6. the command line, where the value ``auto``
    means "not given".

    Raises
    ------
    UserError
        For an unknown key, a wrong type or an impossible value: which, where, and what is meant.
    """
    given = _without_auto(argv)
    extra_file, given = _pop_option(given, "config")
    parser = _parser(config_type, stage)

    layers: list[tuple[str, dict[str, Any]]] = []
    base = conf_folder() / f"{stage}.yaml"
    if base.is_file():
        layers.append((str(base), read_yaml(base)))
    own = read_yaml(Path(extra_file)) if extra_file else {}
    asked = dict(settings or {})
    chosen = {f.name: f.default for f in fields(config_type)}  # type: ignore[arg-type]
    for _, layer in layers:
        chosen.update(layer)
    chosen.update(own | asked)
    preset = _peek(given, "preset") or chosen.get("preset")
    dataset = _peek(given, "dataset") or chosen.get("dataset")
    if isinstance(preset, str) and "preset" in chosen:
        layers += _preset_layers(stage, preset, str(dataset))
    if extra_file:
        layers.append((extra_file, own))
    if asked:
        layers.append(("the settings asked for", asked))

    resolved: dict[str, Any] = {}
    for where, layer in layers:
        layer = _said(layer, config_type, f"In {where}: ")
        _checked(parser, stage, where, partial(parser.parse_object, layer))
        resolved = merged(resolved, layer)
        with warnings.catch_warnings():
            # set_defaults is what lets the command line win over the files, and nothing else does.
            warnings.simplefilter("ignore")
            defaults = _flat(resolved, config_type)
            _checked(parser, stage, where, partial(parser.set_defaults, defaults))
    parsed = _checked(parser, stage, "the command line", lambda: parser.parse_args(given))
    _refuse_null(config_type, parsed, stage)
    config: C = config_type(
        **_checked(parser, stage, "the settings", lambda: _built(parser, parsed))
    )
    return config


def _built(parser: jsonargparse.ArgumentParser, parsed: Any) -> dict[str, Any]:
    built = parser.instantiate(parsed)
    return dict(vars(built))


def _refuse_null(kind: type, parsed: Any, stage: str, prefix: str = "") -> None:
    """Refuse a null where the setting has no such value; the parser itself takes it everywhere."""
    for name, hint in get_type_hints(kind).items():
        value = parsed.get(name)
        if value is None and type(None) not in (hint, *get_args(hint)) and hint is not Any:
            raise UserError(
                f"{prefix}{name} of {stage} is null, and it needs a value; leave the line out to "
                f"have the default (conf/{stage}.yaml)."
            )
        if is_dataclass(hint) and isinstance(hint, type):
            _refuse_null(hint, value, stage, f"{prefix}{name}.")


def _parser(config_type: type, stage: str) -> jsonargparse.ArgumentParser:
    parser = jsonargparse.ArgumentParser(
        prog=stage,
        description=(config_type.__doc__ or "").strip(),
        exit_on_error=False,
        allow_abbrev=False,
    )
    _resolve_annotations(config_type)
    parser.add_class_arguments(config_type, None, as_group=False)
    return parser


def _resolve_annotations(config_type: type) -> None:
    """Turn the field types of inherited settings from text into types.

    jsonargparse reads them off ``__init__``, where a base class of another module left names that
    the deriving module need not know; it would then accept any value.
    """
    hints = get_type_hints(config_type)
    config_type.__init__.__annotations__ = {f.name: hints[f.name] for f in fields(config_type)}  # type: ignore[misc]
    for kind in hints.values():
        if isinstance(kind, type) and is_dataclass(kind):
            _resolve_annotations(kind)


def _preset_layers(stage: str, preset: str, dataset: str) -> list[tuple[str, dict[str, Any]]]:
    path = conf_folder() / "presets" / f"{preset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise UserError(f"There is no preset '{preset}'; the presets are: {known}.")
    section = read_yaml(path).get(stage) or {}
    return [
        (f"{path} ({stage}.{part})", section[part])
        for part in ("all", dataset)
        if section.get(part)
    ]


def _checked(parser: jsonargparse.ArgumentParser, stage: str, where: str, act: Any) -> Any:
    try:
        return act()
    except UserError:
        raise
    except (argparse.ArgumentError, TypeError, KeyError, ValueError, *_OTHERS) as error:
        if isinstance(error, SystemExit) and not error.code:
            raise
        said = sentence(stage, where, str(error), [a.dest for a in parser._actions])
        raise UserError(_printable(said)) from None


def _printable(text: str) -> str:
    """Put a space for what a name may hold that would end the line or steer the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _without_auto(argv: Sequence[str]) -> list[str]:
    out: list[str] = []
    for word in argv:
        if word == AUTO and out and out[-1].startswith("--") and "=" not in out[-1]:
            out.pop()
        elif not (word.startswith("--") and word.endswith(f"={AUTO}")):
            out.append(word)
    return out


def _peek(argv: Sequence[str], name: str) -> str | None:
    value, _ = _pop_option(argv, name)
    return value


def _pop_option(argv: Sequence[str], name: str) -> tuple[str | None, list[str]]:
    value, rest, words = None, [], iter(argv)
    for word in words:
        if word == f"--{name}":
            value = next(words, None)
        elif word.startswith(f"--{name}="):
            value = word.partition("=")[2]
        else:
            rest.append(word)
    return value, rest


def _said(layer: Mapping[str, Any], config_type: type, where: str) -> dict[str, Any]:
    """Leave out the sections that say nothing, as when every line below one is a comment."""
    hints, out = get_type_hints(config_type), {}
    for key, value in layer.items():
        kind = hints.get(key)
        if not (isinstance(kind, type) and is_dataclass(kind)):
            out[key] = value
        elif isinstance(value, dict):
            out[key] = _said(value, kind, f"{where}{key}.")
        elif value is not None:
            shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
            raise UserError(f"{where}{key} must hold 'name: value' lines, not {shown}.")
    return out


def _flat(layer: Mapping[str, Any], config_type: type, prefix: str = "") -> dict[str, Any]:
    """Dotted leaf keys; a mapping is descended into only where the field is a dataclass."""
    hints, out = get_type_hints(config_type), {}
    for key, value in layer.items():
        kind = hints.get(key)
        if isinstance(value, dict) and isinstance(kind, type) and is_dataclass(kind):
            out.update(_flat(value, kind, f"{prefix}{key}."))
        else:
            out[f"{prefix}{key}"] = value
    return out
