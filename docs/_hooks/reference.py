"""The reference of entry points: typed settings for names, types and defaults, YAML for meaning."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from recdistill.config import COMMON, in_words, main_fields_of, read_notes, stage_names

ROOT = Path(__file__).parents[2]
MARK = "<!-- entry points -->"
MEANINGS = COMMON | {"dataset": "which data: see [prepare_data](#prepare_data)"}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where the page asks for them."""
    return markdown.replace(MARK, entry_points()) if MARK in markdown else markdown


def entry_points() -> str:
    """Return a section for every entry point of the menu."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return "\n\n".join(map(section, stage_names()))


def section(name: str) -> str:
    """Return one entry point: what it is for, how it is called, every parameter."""
    module = importlib.import_module(f"projects.{name}")
    notes = read_notes((ROOT / "conf" / f"{name}.yaml").read_text("utf-8"))
    purpose = (module.__doc__ or "").split("\n")[0]
    rows = list(table(module.Config, notes, main_fields_of(module.Config)))
    elsewhere = [f.name for f in fields(module.Config) if f.name not in notes.named]
    intro = notes.intro.removeprefix(f"{name}: ")
    text = [f"## {name}", purpose, shown(intro[:1].upper() + intro[1:])]
    text += [f"```bash\nmlflow run . --env-manager local -e {name}\nrecdistill {name}\n```"]
    head = "| parameter | default | takes | meaning |\n|---|---|---|---|\n"
    text += ['<div class="parameters" markdown>', head + "\n".join(rows), "</div>"]
    if elsewhere:
        listed = ", ".join(f"`{one}`" for one in elsewhere)
        text += [f"Also the data's own, as in [prepare_data](#prepare_data): {listed}."]
    return "\n\n".join(part for part in text if part)


def table(kind: type, notes: Any, main: tuple[str, ...], prefix: str = "") -> Any:
    """Yield a row per parameter the settings file names, groups before their members."""
    default, hints = kind(), get_type_hints(kind)
    told = list(notes.of)
    ordered = sorted(fields(kind), key=lambda f: _place(f"{prefix}{f.name}", told))
    for one in ordered:
        name, hint = f"{prefix}{one.name}", hints[one.name]
        if name.split(".")[0] not in notes.named:
            continue
        if is_dataclass(hint) and isinstance(hint, type):
            if note := notes.of.get(name, ""):
                yield f"| *{name}* | | | {shown(note)} |"
            yield from table(hint, notes, main, f"{name}.")
            continue
        label = f"**`{name}`**" if name in main else f"`{name}`"
        value = yaml.safe_dump(getattr(default, one.name), default_flow_style=True)
        value = value.replace("\n...\n", "").strip()
        meaning = shown(notes.of.get(name, "")) or MEANINGS.get(name, "")
        yield f"| {label} | `{value}` | {shown(in_words(hint))} | {meaning} |"


def _place(name: str, told: list[str]) -> int:
    return told.index(name) if name in told else len(told)


def shown(text: str) -> str:
    """Escape what Markdown would take for its own, code left as it is."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_<|{}])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)
