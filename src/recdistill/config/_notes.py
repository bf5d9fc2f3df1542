"""What the comments of a settings file say of each setting: the words of help and reference."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Said once here where a settings file leaves a common parameter to speak for itself.
COMMON = {
    "dataset": "which data: see prepare_data",
    "data_path": "file or folder of your own data",
    "seed": "of everything that is drawn",
    "preset": "`quick` or `full`: conf/presets",
    "use_cache": "false: compute although this very run exists",
}


@dataclass
class Notes:
    """The comments of a settings file: its first block, and those of each key."""

    intro: str = ""
    of: dict[str, str] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)


def read_notes(text: str) -> Notes:
    """Attach comments to keys: those above, those beside, and the lines that go on below those."""
    notes, above = Notes(), list[str]()
    path: list[tuple[int, str]] = []  # of the key at hand: indent and name of each level
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
