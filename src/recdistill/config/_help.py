"""What a stage says of its settings: main ones first, in the words of ``conf/<stage>.yaml``."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import yaml

from recdistill.config._files import conf_folder
from recdistill.config._in_words import in_words
from recdistill.config._main_fields import main_fields_of
from recdistill.config._notes import COMMON, Notes, read_notes

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 100


@dataclass(frozen=True)
class _Setting:
    """A setting as help shows it; ``group`` is the name of the settings that it belongs to."""

    name: str
    default: str
    takes: str
    meaning: str
    group: str

    def lines(self) -> list[str]:
        head = f"  --{self.name}={self.default}"
        kind = "" if self.takes in self.meaning else f"[{self.takes}]"
        said = textwrap.wrap(
            f"{self.meaning} {kind}".strip(),
            _WIDTH,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
        )
        return [head, *said]


def help_text(config_type: type[Any], stage: str) -> str:
    """Return a stage's help: what it costs, its main settings, the others, those of the data."""
    notes, of_data = _notes(stage), _notes("prepare_data")
    main = main_fields_of(config_type)
    settings = list(_settings(config_type, notes, of_data))
    own = [s for s in settings if s.name.split(".")[0] in notes.named]
    chosen = {s.name: s for s in settings}
    parts = [
        _said(notes.intro or stage),
        f"  recdistill {stage} --name=value ...\n"
        f"  mlflow run . --env-manager local -e {stage} -P name=value ...",
        _part("Main settings", [chosen[name] for name in main if name in chosen]),
        _part("Other settings", [s for s in own if s.name not in main and not s.group]),
    ]
    for group in dict.fromkeys(s.group for s in own if s.group):
        members = [s for s in own if s.group == group]
        about = notes.of.get(group, "")
        parts.append(_part(_said(f"{group}: {about}" if about else group), members))
    others = [s for s in settings if s not in own and s.name not in main]
    if others:
        names = ", ".join(s.name for s in others)
        parts.append(_said(f"The data's own, as in prepare_data --help: {names}"))
    parts.append(
        _said(
            "--config=FILE lays a settings file of yours over the preset; a value 'auto' means "
            f"what conf/{stage}.yaml and the preset say."
        )
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _settings(
    kind: type[Any], notes: Notes, of_data: Notes, prefix: str = ""
) -> Iterator[_Setting]:
    default, hints = kind(), get_type_hints(kind)
    for one in fields(kind):
        name, hint = f"{prefix}{one.name}", hints[one.name]
        if isinstance(hint, type) and is_dataclass(hint):
            yield from _settings(hint, notes, of_data, f"{name}.")
            continue
        value = yaml.safe_dump(getattr(default, one.name), default_flow_style=True, width=10_000)
        meaning = notes.of.get(name) or of_data.of.get(name) or COMMON.get(name, "")
        shown = value.replace("\n...\n", "").strip()
        yield _Setting(name, shown, in_words(hint), meaning, prefix.rstrip("."))


def _notes(stage: str) -> Notes:
    path = conf_folder() / f"{stage}.yaml"
    return read_notes(path.read_text("utf-8")) if path.is_file() else Notes()


def _part(title: str, settings: list[_Setting]) -> str:
    lines = [line for one in settings for line in one.lines()]
    return "\n".join([title, *lines]) if settings else ""


def _said(text: str) -> str:
    return textwrap.fill(text, _WIDTH)
