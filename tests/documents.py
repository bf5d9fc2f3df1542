"""What the documentation claims, taken apart: fenced blocks, commands, links, anchors."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from recdistill._commands import COMMANDS

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("README*.md", "CONTRIBUTING.md", "docs/**/*.md")
    for path in ROOT.glob(pattern)
)
STAGE_PREFIXES = ("mlflow run ", "recdistill ", "python -m projects.")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes
    ----------
    language, text : str
    line : int
        Where it begins, from 1.
    marker : str
        The HTML comment right above it, without the arrows.
    """

    language: str
    text: str
    line: int
    marker: str

    @property
    def file_name(self) -> str:
        """The file that the block's first line says it is, or nothing."""
        found = re.match(r"# ([\w.]+\.(?:py|yaml))$", self.text.split("\n")[0])
        return found[1] if found else ""


def blocks(document: Path, language: str = "") -> list[Block]:
    """Return a document's fenced blocks in their order."""
    found, inside, start, marker = [], [], 0, ""
    kind = ""
    for number, line in enumerate((ROOT / document).read_text("utf-8").splitlines(), 1):
        stripped = line.strip()
        if not start and stripped.startswith("```"):
            start, kind, inside = number, stripped[3:].strip(), []
        elif start and stripped == "```":
            found.append(Block(kind, "\n".join(inside), start, marker))
            start, marker = 0, ""
        elif start:
            inside.append(line)
        elif stripped.startswith("<!--") and stripped.endswith("-->"):
            marker = stripped[4:-3].strip()
        elif stripped:
            marker = ""
    assert not start, f"{document}:{start} opens a block that never ends"
    return [block for block in found if not language or block.language == language]


def commands(block: Block) -> list[list[str]]:
    """Return a shell block's commands as words: comments gone, continued lines joined."""
    found, pending = [], ""
    for line in block.text.replace("\\\n", " ").splitlines():
        for part in line.split(" && "):
            pending += part + "\n"
            try:
                words = without_environment(shlex.split(pending, comments=True))
            except ValueError:  # a quotation goes on in the next line
                continue
            pending = ""
            if words:
                found.append(words)
    assert not pending, f"line {block.line} opens a quotation that never ends"
    return found


def without_environment(words: list[str]) -> list[str]:
    """Drop leading ``NAME=value`` words."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words


def without_launcher(words: list[str]) -> list[str]:
    """Drop what starts a command in several processes: ``torchrun ... -m`` or ``srun ...``."""
    if words[0] == "torchrun":
        return ["python", *words[words.index("-m") :]]
    if words[0] == "srun":
        return next(words[i:] for i in range(1, len(words)) if not words[i].startswith("-"))
    return words


def stage_call(words: list[str]) -> tuple[str, list[str]] | None:
    """Return the stage a command calls and its flags, however it calls it; None for others."""
    words = without_launcher(words)
    if words[0] == "recdistill":
        stage = len(words) > 1 and words[1][0] != "-" and words[1] not in COMMANDS
        return (words[1], words[2:]) if stage else None
    if words[:2] == ["python", "-m"] and words[2].startswith("projects."):
        return words[2].removeprefix("projects."), words[3:]
    if words[:2] != ["mlflow", "run"]:
        return None
    stage, flags, rest = "main", [], iter(words[2:])
    for word in rest:
        if word == "-e":
            stage = next(rest)
        elif word == "-P":
            flags.append(f"--{next(rest)}")
        elif word in ("--env-manager", "--experiment-name", "-b", "--backend-config"):
            next(rest)
        elif word not in (".", "examples/kubernetes"):
            raise AssertionError(f"mlflow run with an argument nobody checks: {word}")
    return stage, flags


def links(document: Path) -> list[str]:
    """Return the targets of a document's links and pictures, code left out."""
    text = re.sub(r"```.*?```|`[^`]*`", "", (ROOT / document).read_text("utf-8"), flags=re.S)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(document: Path) -> set[str]:
    """Return the anchors that a document's headings make."""
    text = re.sub(r"```.*?```", "", (ROOT / document).read_text("utf-8"), flags=re.S)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {slug(heading) for heading in headings}


def slug(heading: str) -> str:
    """Return a heading's anchor, as GitHub and MkDocs make it."""
    kept = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
    return re.sub(r"[\s]+", "-", kept)
