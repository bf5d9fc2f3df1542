"""How many files an addition touches: each made in a copy of this checkout, tried, and counted.

    python -m benchmarks.additions

The student is the one of docs/guides/another_student.md, the term that of a_new_loss_term.md: what
the guides say is tried as well. What is generated (``MLproject``, the pages) is no place to touch.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.pages import ROOT, Block

RESULT = Path(__file__).parent / "results" / "additions.json"
SRC = Path("src/recdistill")


@dataclass(frozen=True)
class Edit:
    """A file to write, or lines to put behind a line that is there.

    Attributes
    ----------
    path : below the checkout
    text : the whole of a new file, or what is put in
    behind : what is there already and stays; empty for a new file
    """

    path: Path
    text: str
    behind: str = ""

    def make(self, checkout: Path) -> None:
        """Make the edit, which must be possible in one place alone."""
        file = checkout / self.path
        before = file.read_text("utf-8") if self.behind else ""
        if self.behind:
            assert before.count(self.behind) == 1, f"{self.path}: {self.behind!r}"
        after = before.replace(self.behind, self.behind + self.text) if before else self.text
        file.write_text(after, "utf-8")


@dataclass(frozen=True)
class Addition:
    """An addition, and the words after ``python`` that end with status 0 where it works."""

    edits: tuple[Edit, ...]
    trial: tuple[str, ...]
    at_most: int


def shown_in(guide: str, file_name: str) -> str:
    """Return the file that a guide shows under its name."""
    text = (ROOT / "docs" / "guides" / guide).read_text("utf-8")
    found = re.search(rf"```python\n(# {re.escape(file_name)}\n.*?)```", text, re.DOTALL)
    assert found, f"{guide} shows no {file_name}"
    return found[1]


STUDENT = shown_in("another_student.md", "mean_student.py").replace(
    "from recdistill.students import", "from recdistill.students._model import"
)
TERM = (
    shown_in("a_new_loss_term.md", "order.py")
    .replace(
        "from recdistill.distillation import",
        "from recdistill.distillation._terms import",
    )
    .replace("from recdistill.lessons import", "from recdistill.lessons._lessons import")
)
STAGE = '''\
"""Greet somebody."""

from dataclasses import dataclass

from recdistill.config import main_fields
from recdistill.runs import Run, stage


@main_fields("name")
@dataclass(frozen=True)
class Config:
    """Whom; conf/greet.yaml says more."""

    name: str = "you"


def run(config: Config, run: Run) -> None:
    """Greet."""
    run.set_tags({"greeted": config.name})


if __name__ == "__main__":
    stage(run, Config, "greet")
'''
ON_FEW = ("--dataset=ml-100k", "--max_users=60", "--max_epochs=1")
ADDITIONS = {
    "a student": Addition(
        (
            Edit(SRC / "students/_mean.py", STUDENT),
            Edit(SRC / "students/_config.py", ', "mean"', '"ligr", "hstu", "gru4rec"'),
            Edit(
                SRC / "students/_build.py",
                "\nfrom recdistill.students._mean import MeanStudent",
                "from recdistill.students._ligr import LiGR",
            ),
            Edit(
                SRC / "students/_build.py",
                """
    if config.kind == "mean":
        return MeanStudent(n_items, dim=dim, max_length=max_length)""",
                "max_length, dropout = config.max_length, config.dropout",
            ),
        ),
        ("-m", "projects.train_baseline", "--model=mean", *ON_FEW),
        3,
    ),
    "a loss term": Addition(
        (
            Edit(SRC / "distillation/_order.py", TERM),
            Edit(
                SRC / "distillation/_registry.py",
                "\nfrom recdistill.distillation._order import Order",
                "from recdistill.distillation._listwise import Listwise",
            ),
            Edit(
                SRC / "distillation/_registry.py",
                '\n    "order": lambda *_: Order(),',
                '"dros": lambda configs, inputs: DROS(configs.dros, inputs.item_counts),',
            ),
        ),
        (
            "-c",
            "from recdistill.distillation import TermConfigs, build_term; "
            "assert build_term('order', TermConfigs(), None).name == 'order'",
        ),
        3,
    ),
    "an entry point": Addition(
        (
            Edit(Path("projects/greet.py"), STAGE),
            Edit(Path("conf/greet.yaml"), "# greet: says hello.\n\nname: you  # whom\n"),
        ),
        (
            "-c",
            "from recdistill.__main__ import main; from recdistill.config import mlproject; "
            "assert 'projects.greet --name {name}' in mlproject(); "
            "main(['greet', '--name=me'])",
        ),
        2,
    ),
    "a teacher's setting": Addition(
        (
            Edit(
                SRC / "teachers/_training_settings.py",
                "\n    label_smoothing: float = 0.0",
                "    report_seconds: float = 20.0",
            ),
            Edit(
                Path("conf/train_teacher.yaml"),
                "\nlabel_smoothing: 0.0     # share of the target's mass over the catalog",
                "report_seconds: 20.0     # between two lines of progress",
            ),
        ),
        (
            "-c",
            "import projects.train_teacher as t; from recdistill.config import help_text, parse; "
            "c = parse(t.Config, 'train_teacher', ['--label_smoothing=.1']); "
            "assert c.recipe().training.label_smoothing == .1; "
            "assert 'mass over the catalog' in help_text(t.Config, 'train_teacher')",
        ),
        2,
    ),
}


def n_files(addition: Addition) -> int:
    """Make an addition in a copy, see that it works, and count its files."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / "checkout"
        copy.mkdir()
        for part in ("src", "projects", "conf"):
            shutil.copytree(ROOT / part, copy / part)
        shutil.copy(ROOT / "MLproject", copy)  # says that this folder is a checkout
        for edit in addition.edits:
            edit.make(copy)
        subprocess.run(
            [sys.executable, *addition.trial],
            cwd=copy,
            env=os.environ
            | {
                "MLFLOW_TRACKING_URI": f"sqlite:///{name}/mlflow.db",
                "PYTHONPATH": os.pathsep.join([str(copy / "src"), str(copy)]),
            },
            check=True,
        )
    return len({edit.path for edit in addition.edits})


def blocks() -> list[Block]:
    """Make the table of docs/benchmarks.md from the committed result."""
    result = json.loads(RESULT.read_text())
    lines = ["| what is added | files | at most |", "|---|---:|---:|"]
    lines += [f"| {what} | {result[what]} | {one.at_most} |" for what, one in ADDITIONS.items()]
    return [Block("docs/benchmarks.md", "additions", "\n".join(lines))]


def main() -> None:
    result = {what: n_files(addition) for what, addition in ADDITIONS.items()}
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    for block in blocks():
        block.write()
        print(block.text)


if __name__ == "__main__":
    main()
