"""Every mistake ends in one sentence; the later source of a setting wins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pytest

from recdistill.config import as_dotted, as_plain, as_yaml, parse
from recdistill.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Optimizer:
    """Part of the stage below."""

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise UserError(f"optimizer.lr must be above 0, not {self.lr}.")


@dataclass
class Stage:
    """A stage's settings."""

    dataset: str = "ml-100k"
    preset: str = "full"
    max_users: int | None = None
    loss: Literal["softmax", "bce"] = "softmax"
    use_cache: bool = True
    seed: int = 0
    optimizer: Optimizer = field(default_factory=Optimizer)


@pytest.fixture(autouse=True)
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with settings files of its own."""
    presets = tmp_path / "conf" / "presets"
    presets.mkdir(parents=True)
    (tmp_path / "conf" / "demo.yaml").write_text("seed: 4\noptimizer: {lr: 0.5}\n")
    (presets / "full.yaml").write_text("")
    (presets / "quick.yaml").write_text(
        "demo:\n  all: {max_users: 7, seed: 5}\n  ml-100k: {optimizer: {lr: 0.7}}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "conf"


def test_stage_file_wins_over_the_dataclass() -> None:
    config = parse(Stage, "demo", [])
    assert (config.seed, config.optimizer.lr, config.optimizer.betas) == (4, 0.5, (0.9, 0.99))


def test_preset_wins_over_the_stage_file_and_its_data_set_section_over_all() -> None:
    config = parse(Stage, "demo", ["--preset", "quick"])
    assert (config.seed, config.max_users, config.optimizer.lr) == (5, 7, 0.7)
    other = parse(Stage, "demo", ["--preset", "quick", "--dataset", "ml-1m"])
    assert other.optimizer.lr == 0.5


def test_own_file_wins_over_the_preset_and_the_command_line_over_all(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("preset: quick\nseed: 8\nmax_users: 9\n")
    config = parse(Stage, "demo", ["--config", str(own), "--seed=10", "--optimizer.lr", "0.2"])
    assert (config.seed, config.max_users, config.optimizer.lr) == (10, 9, 0.2)


@pytest.mark.parametrize("nothing", ["optimizer:", "optimizer: null", "optimizer: {}"])
def test_a_section_that_says_nothing_changes_nothing(nothing: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(f"{nothing}\nseed: 3")
    given = parse(Stage, "stage", [f"--config={tmp_path}/own.yaml"])
    assert (given.seed, given.optimizer) == (3, parse(Stage, "stage", []).optimizer)


def test_auto_means_not_given() -> None:
    config = parse(Stage, "demo", ["--seed", "auto", "--max_users=auto", "--use_cache", "false"])
    assert (config.seed, config.max_users, config.use_cache) == (4, None, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--bogus", "3"], "'bogus' is no parameter of demo"),
        (["--optimizr.lr", "1"], "did you mean 'optimizer.lr'?"),
        (["--seed", "abc"], "seed of demo must be a whole number, not 'abc'"),
        (["--seed", "1.5"], "seed of demo must be a whole number, not '1.5'"),
        (["--loss", "x"], "loss of demo must be one of 'softmax', 'bce', not 'x'"),
        (["--optimizer.lr", "-1"], "optimizer.lr must be above 0, not -1.0"),
        (["--max_users", "many"], "max_users of demo must be a whole number or null, not 'many'"),
        (["--seed"], "--seed of demo needs a value after it"),
        (["--preset", "huge"], "There is no preset 'huge'; the presets are: full, quick"),
        (["--config", "nowhere.yaml"], "The settings file nowhere.yaml cannot be read"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_sentence(words: list[str], says: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(Stage, "demo", words)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sed: 3\n", "conf/demo.yaml: 'sed' is no parameter of demo; did you mean 'seed'?"),
        ("optimizer: {lr: fast}\n", "conf/demo.yaml: optimizer.lr of demo must be a number"),
        ("- a\n- b\n", "must hold 'name: value' lines"),
        ("seed: [1\n", "is not valid YAML"),
    ],
)
def test_a_mistake_in_a_file_names_the_file(conf: Path, text: str, says: str) -> None:
    (conf / "demo.yaml").write_text(text)
    with pytest.raises(UserError, match=r"conf/demo\.yaml") as caught:
        parse(Stage, "demo", [])
    assert says in str(caught.value)


def test_settings_survive_the_round_trip_through_yaml(tmp_path: Path) -> None:
    config = parse(Stage, "demo", ["--preset", "quick", "--optimizer.betas", "[0.8, 0.95]"])
    saved = tmp_path / "saved.yaml"
    saved.write_text(as_yaml(config))
    assert parse(Stage, "demo", ["--config", str(saved)]) == config
    assert as_dotted(config)["optimizer.lr"] == 0.7


def test_settings_inherited_from_another_module_are_checked_too() -> None:
    from projects.evaluate import Config

    with pytest.raises(UserError, match="split of evaluate must be one of 'leave_one_out'"):
        parse(Config, "evaluate", ["--split", "by_moon"])
    with pytest.raises(UserError, match="seed of evaluate must be a whole number"):
        parse(Config, "evaluate", ["--seed", "x"])
    assert parse(Config, "evaluate", ["--columns.user", "uid"]).columns.user == "uid"


def test_settings_asked_for_by_a_program_win_over_files_and_yield_to_flags() -> None:
    asked = {"preset": "quick", "seed": 9, "optimizer": {"betas": [0.5, 0.6]}}
    config = parse(Stage, "demo", ["--max_users=3"], asked)
    assert (config.seed, config.max_users) == (9, 3)
    assert config.optimizer == Optimizer(0.7, (0.5, 0.6))  # the preset's rate, beside the program's


def test_settings_read_back_are_the_same_settings() -> None:
    config = parse(Stage, "demo", ["--preset=quick", "--seed=2", "--loss=bce"])
    assert parse(Stage, "demo", [], as_plain(config)) == config


def test_a_wrong_setting_of_a_program_is_refused_like_a_flag() -> None:
    with pytest.raises(UserError, match="'sed' is no parameter of demo; did you mean 'seed'"):
        parse(Stage, "demo", [], {"sed": 1})
