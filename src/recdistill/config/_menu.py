"""The menu of ``mlflow run``: MLproject, made from the stages' settings."""

from __future__ import annotations

import textwrap

from recdistill.config._main_fields import main_fields_of
from recdistill.config._parse import AUTO
from recdistill.config._stages import stage_module, stage_names

_HEAD = f"""\
name: recdistill
conda_env: conda.yaml

# The menu, written by "make menu" from the stages' settings. A parameter left at "{AUTO}" takes its
# value from conf/<entry point>.yaml and the preset; every other field of a stage is reached by its
# dotted name, as in -P optimizer.lr=0.002.
entry_points:
"""
_WIDTH = 92


def mlproject() -> str:
    """Return the text of the file ``MLproject``."""
    return _HEAD + "\n".join(map(_entry, stage_names()))


def _entry(stage: str) -> str:
    names = main_fields_of(stage_module(stage).Config)
    lines = [f"  {stage}:"]
    if names:
        lines += ["    parameters:"]
        lines += [f"      {name}: {{type: string, default: {AUTO}}}" for name in names]
    # A flag and its value stay on one line.
    flags = (f"--{name}\0{{{name}}}" for name in names)
    command = textwrap.wrap(
        " ".join([f"python -m projects.{stage}", *flags]), _WIDTH, break_on_hyphens=False
    )
    lines += ["    command: >-", *(f"      {line}".replace("\0", " ") for line in command)]
    return "\n".join(lines) + "\n"
