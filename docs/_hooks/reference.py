"""The reference of entry points: typed settings for names, types and defaults, YAML for meaning."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

ROOT = Path(__file__).parents[2]
MARK = "<!-- entry points -->"
# Said once here where a settings file leaves a common parameter to speak for itself.
COMMON = {
    "dataset": "which data: see [prepare_data](#prepare_data)",
    "data_path": "file or folder of your own data",
    "seed": "of everything that is drawn",
    "preset": "`quick` or `full`: conf/presets",
    "use_cache": "false: compute although this very run exists",
}


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where the page asks for them."""
    return markdown.replace(MARK, entry_points()) if MARK in markdown else markdown


def entry_points() -> str:
    """Return a section for every entry point of MLproject."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    menu = yaml.safe_load((ROOT / "MLproject").read_text("utf-8"))["entry_points"]
    return "\n\n".join(section(name, entry.get("parameters", {})) for name, entry in menu.items())


def section(name: str, declared: dict[str, Any]) -> str:
    """Return one entry point: what it is for, how it is called, every parameter."""
    module = importlib.import_module(f"projects.{name}")
    notes = read_notes((ROOT / "conf" / f"{name}.yaml").read_text("utf-8"))
    purpose = (module.__doc__ or "").split("\n")[0]
    rows = list(table(module.Config, notes, declared))
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


def table(kind: type, notes: Notes, declared: dict[str, Any], prefix: str = "") -> Any:
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
            yield from table(hint, notes, declared, f"{name}.")
            continue
        label = f"**`{name}`**" if name in declared else f"`{name}`"
        value = yaml.safe_dump(getattr(default, one.name), default_flow_style=True)
        value = value.replace("\n...\n", "").strip()
        meaning = shown(notes.of.get(name, "")) or COMMON.get(name, "")
        yield f"| {label} | `{value}` | {takes(hint)} | {meaning} |"


def _place(name: str, told: list[str]) -> int:
    return told.index(name) if name in told else len(told)


def takes(hint: Any) -> str:
    """Say a type in words."""
    if get_origin(hint) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(hint))
    if get_origin(hint) in (list, tuple):
        return f"list of {takes(get_args(hint)[0])}s"
    if get_origin(hint) is dict:
        return f"names with a {takes(get_args(hint)[1])} each"
    plain = {int: "whole number", float: "number", str: "text", bool: "true, false"}
    return plain.get(hint, str(hint).replace("|", "or"))


def shown(text: str) -> str:
    """Escape what Markdown would take for its own, code left as it is."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_<|{}])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


@dataclass
class Notes:
    """The comments of a settings file: its first block, and those of each key."""

    intro: str = ""
    of: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)


def read_notes(text: str) -> Notes:
    """Attach comments to keys: those above, those beside, and the lines that go on below those."""
    notes, above, path = Notes(), [], []
    last, column = "", -1
    for line in text.splitlines():
        code, mark, comment = line.partition("#") if line.lstrip().startswith("#") else _cut(line)
        if not code.strip():
            if not mark:
                if above and not notes.named and not notes.intro:
                    notes.intro = " ".join(above)
                above = []
            elif last and len(code) == column:
                notes.of[last] += " " + comment.strip()
            elif not comment.strip().startswith("----"):
                above.append(comment.strip())
                column = -1
            continue
        indent, key = len(code) - len(code.lstrip()), code.strip().partition(":")[0]
        path = [*(p for p in path if p[0] < indent), (indent, key)]
        last = ".".join(name for _, name in path)
        notes.named.add(path[0][1])
        column = len(code) if mark else -1
        notes.of[last] = " ".join([*above, comment.strip()]).strip()
        inner = re.search(r"\{(.*)\}", code)
        if inner:
            for member in re.findall(r"(\w+):", inner[1]):
                notes.of[f"{last}.{member}"] = ""
        above = []
    return notes


def _cut(line: str) -> tuple[str, str, str]:
    found = re.search(r"\s#\s", line)
    if not found:
        return line, "", ""
    at = found.start() + 1
    return line[:at], "#", line[at + 1 :]
