"""The command ``recdistill``: the menu of ``mlflow run``, without MLflow Projects.

    recdistill --help
    recdistill train_baseline --dataset=ml-100k --seed=1
    recdistill runs

A stage works in the folder it is called from and tracks its run where ``MLFLOW_TRACKING_URI`` says,
else in ``mlflow.db`` of that folder. Its flags are the parameters of ``mlflow run -P``.
"""

from __future__ import annotations

import ast
import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill import __version__
from recdistill._commands import COMMANDS, answer
from recdistill.config import home, stage_names

if TYPE_CHECKING:
    from collections.abc import Sequence


def menu() -> dict[str, str]:
    """Return the entry points, each with the first line of its stage."""
    folder = home() / "projects"
    # Parsed, not imported: a list of stages must not wait for torch.
    texts = {
        name: ast.get_docstring(ast.parse((folder / f"{name}.py").read_text("utf-8")))
        for name in stage_names()
    }
    return {name: (text or "").split("\n")[0] for name, text in texts.items()}


def usage() -> str:
    """Say what can be asked."""
    stages = menu()
    width = max(map(len, stages))
    return "\n".join(
        [
            "usage: recdistill STAGE [--name=value ...]",
            "       recdistill STAGE --help      every parameter of a stage",
            "",
            *(f"  {name:{width}}  {purpose}" for name, purpose in stages.items()),
            "",
            *(f"  {name:{width}}  {act.__doc__}" for name, act in COMMANDS.items()),
            "",
            f"Settings and what they cost: {home() / 'conf'}",
        ]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Answer a question about the menu, or start one of its stages."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    name, *flags = words
    if name in COMMANDS:
        return answer(name, flags)
    if name not in menu():
        close = difflib.get_close_matches(name.replace("-", "_"), [*menu(), *COMMANDS], n=1)
        hint = f"did you mean '{close[0]}'?" if close else "'recdistill --help' lists them."
        print(f"recdistill: '{name}' is no stage; {hint}", file=sys.stderr)
        return 2
    return start(name, flags)


def start(name: str, flags: Sequence[str]) -> int:
    """Become ``python -m projects.<name>``, wherever this was called from; never returns."""
    # This folder comes last: a term of one's own is found in it, but a folder 'projects' that
    # happens to lie here is not taken for ours.
    paths = [str(home()), *filter(None, [os.environ.get("PYTHONPATH")]), str(Path.cwd())]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    os.execve(sys.executable, [sys.executable, "-m", f"projects.{name}", *flags], environment)


if __name__ == "__main__":
    sys.exit(main())
