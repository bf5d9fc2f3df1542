"""The command ``recdistill`` offers what MLproject declares, and passes flags on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from recdistill.__main__ import main, menu

ROOT = Path(__file__).parents[2]


def test_every_entry_point_is_offered_with_a_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    stages = menu()
    assert set(stages) == set(yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"])
    assert all(purpose.endswith(".") for purpose in stages.values())
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown and purpose in shown for name, purpose in stages.items())


def test_a_stage_is_started_like_its_entry_point(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started = {}
    monkeypatch.setattr(os, "execve", lambda *call: started.update(zip("pwe", call, strict=True)))
    monkeypatch.chdir(tmp_path)
    main(["train_baseline", "--model=counter"])
    assert started["p"] == sys.executable
    assert started["w"][1:] == ["-m", "projects.train_baseline", "--model=counter"]
    assert started["e"]["PYTHONPATH"].split(os.pathsep)[0] == str(ROOT)
    assert started["e"]["PYTHONSAFEPATH"] == "1"


@pytest.mark.parametrize("typo", ["train-basline", "destill"])
def test_a_typo_is_answered_with_what_was_meant(
    typo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typo]) == 2
    meant = "train_baseline" if "train" in typo else "distill"
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_offers_stages_and_the_parameters_of_one(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    # zsh with an empty start file, in the mode in which it runs completions made for bash.
    modes = {"bash": "", "zsh": "emulate -L sh; "}

    def completed(*words: str) -> list[str]:
        act = (
            f'source <("$PYTHON" -m recdistill completion {shell}); {modes[shell]}'
            'COMP_WORDS=(recdistill "$@"); COMP_CWORD=$#; _recdistill; '
            "printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run(
            [shell, "-c", act, shell, *words], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHON": sys.executable, "HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.stderr == ""
        return done.stdout.split()

    offered = set(completed("train_"))
    if shell == "zsh":  # which picks the fitting ones itself
        offered = {word for word in offered if word.startswith("train_")}
    assert offered == {"train_baseline", "train_teacher"}
    assert "--optimizer.lr=" in completed("train_baseline", "--opt")
