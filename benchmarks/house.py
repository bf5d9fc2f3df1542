"""How much there is to read: files and lines per stage and circles of imports, then and now.

    python -m benchmarks.house [then] [now]        # git revisions; 5cd185e and HEAD by default

A stage's files are its own and every file of ``projects/`` that it imports, those in turn included.
A circle is a set of modules of ``projects`` and ``recdistill`` that reach one another by imports,
those for type checkers included, room files (``__init__``) left out.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.pages import Block

RESULT = Path(__file__).parent / "results" / "house.json"
STAGES = ("train_baseline", "train_teacher", "distill", "sweep", "diagnose", "make_transfer_set")


def git(*words: str) -> str:
    """Return what git prints."""
    return subprocess.run(["git", *words], capture_output=True, text=True, check=True).stdout


def sources(revision: str) -> dict[str, str]:
    """Return every module of the two packages at a revision, by dotted name."""
    names = git("ls-tree", "-r", "--name-only", revision, "projects", "src/recdistill").split()
    return {
        name.removeprefix("src/").removesuffix(".py").replace("/", "."): git(
            "show", f"{revision}:{name}"
        )
        for name in names
        if name.endswith(".py")
    }


def imports(source: str, modules: dict[str, str]) -> set[str]:
    """Return the modules that a source imports, anywhere in it."""
    found, waiting = set(), list(ast.parse(source).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
    return found & set(modules)


def reached(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Return all that is reached from a module, itself only over a circle."""
    seen: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        if (name := waiting.pop()) not in seen:
            seen.add(name)
            waiting += graph[name]
    return seen


def count(revision: str) -> dict[str, object]:
    """Count one revision."""
    modules = sources(revision)
    graph = {name: imports(text, modules) for name, text in modules.items()}
    stages = {}
    for stage in STAGES:
        name = f"projects.{stage}"
        files = {name} | {one for one in reached(name, graph) if one.startswith("projects.")}
        files.discard("projects.__init__")
        lines = sum(len(modules[one].splitlines()) for one in files)
        stages[stage] = {"files": len(files), "lines": lines}
    circles = {
        frozenset(o for o in reached(name, graph) if name in reached(o, graph))
        for name in graph
        if name in reached(name, graph)
    }
    stage_lines = sum(len(t.splitlines()) for n, t in modules.items() if n.startswith("projects"))
    return {"stages": stages, "circles": len(circles), "lines_of_projects": stage_lines}


def blocks() -> list[Block]:
    """Make the table of docs/benchmarks.md from the committed result."""
    result = json.loads(RESULT.read_text())
    then, now = result["then"], result["now"]
    lines = ["| files (lines) to read | then | now |", "|---|---:|---:|"]
    for stage in STAGES:
        cells = (
            f"{r['stages'][stage]['files']} ({r['stages'][stage]['lines']})" for r in (then, now)
        )
        lines.append(f"| `{stage}` | {' | '.join(cells)} |")
    lines.append(f"| circles of imports | {then['circles']} | {now['circles']} |")
    lines.append(
        f"| lines of `projects/` | {then['lines_of_projects']} | {now['lines_of_projects']} |"
    )
    return [Block("docs/benchmarks.md", "house", "\n".join(lines))]


def main() -> None:
    then, now = [*sys.argv[1:], "5cd185e", "HEAD"][-2:] if len(sys.argv) < 3 else sys.argv[1:3]
    named = {"then": then, "now": git("rev-parse", "--short", now).strip()}
    result = {"revisions": named, "then": count(then), "now": count(now)}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for block in blocks():
        block.write()
        print(block.text)


if __name__ == "__main__":
    main()
