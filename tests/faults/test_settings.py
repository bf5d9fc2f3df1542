"""Settings and search spaces of every kind are accepted or refused in one sentence.

``CASES=10000 pytest tests/faults/test_settings.py`` tries that many of either. A case that ends in
anything else is written to ``build/faults/``: mend the code, and move the file to ``found/``, where
every later run tries it again.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recdistill.config import as_dotted, parse, stage_module
from recdistill.errors import UserError
from recdistill.sweeps._read_space import build_space, read_space
from recdistill.sweeps._settings import setting_types
from tests.hangs import no_hang

CASES = int(os.environ.get("CASES", "300"))
LONGEST = 3000
FOUND = sorted((Path(__file__).parent / "found").glob("*.json"))
STAGES = sorted(path.stem for path in Path("conf").glob("*.yaml"))
TYPES = {stage: setting_types(stage_module(stage).Config) for stage in STAGES}
SWEPT = ("distill", "train_baseline")

STRANGE = st.sampled_from(
    ["", " ", "null", "auto", "true", "-1", "0", "1.5", "1e999", "nan", ".inf", "-.inf", "9" * 400,
     "[]", "{}", "[1", "{a: 1}", "[1, 2]", "a: b: c", "!!python/object:os.system {}", "&a [*a]",
     "2001-99-99", "0x", "1_0", "\t", "\n", "\0", "é", "\U0001f600", "x" * 5000, "[" * 3000,
     "'", '"', "%", "--", "--config", "../..", "/", "~", "latest", "12:61:61", "- 1\n- 2"]
)  # fmt: skip
WORD = st.one_of(STRANGE, st.text(max_size=20))
PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), WORD,
        st.sampled_from([0, -1, 10**30, float("inf"), float("nan")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORD, inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip


def typo(name: str) -> str:
    return name[:-1] + name[:1]


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """A stage, a command line, and sometimes a settings file."""
    stage = draw(st.sampled_from(STAGES))
    names = st.sampled_from(sorted(TYPES[stage]) or ["seed"])
    names = st.one_of(names, names, names.map(typo), names.map(lambda n: f"{n}.x"), WORD)
    words = []
    for name in draw(st.lists(names, max_size=3)):
        value = draw(WORD)
        words += draw(st.sampled_from([[f"--{name}={value}"], [f"--{name}", value], [name]]))
    own = st.dictionaries(st.one_of(names, names.map(lambda n: n.split(".")[0])), PLAIN, max_size=3)
    file = draw(st.one_of(st.none(), own.map(written), WORD))
    return {"stage": stage, "words": words, "file": file}


SPEC = st.one_of(
    PLAIN,
    st.fixed_dictionaries(
        {},
        optional={
            "range": st.one_of(PLAIN, st.lists(st.one_of(st.integers(-3, 9), PLAIN), max_size=3)),
            "choices": st.one_of(PLAIN, st.lists(PLAIN, min_size=1, max_size=3)),
            "log": st.one_of(st.booleans(), PLAIN),
            "zero": st.one_of(st.booleans(), PLAIN),
            "when": st.one_of(st.sampled_from(["lr", "dropout"]), PLAIN),
        },
    ),
    st.fixed_dictionaries(
        {"range": st.tuples(st.floats(0, 1), st.floats(1, 9)).map(list), "log": st.booleans()}
    ),
)


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, Any]:
    """A swept stage and the text of a search space."""
    stage = draw(st.sampled_from(SWEPT))
    names = st.sampled_from(sorted(TYPES[stage]))
    names = st.one_of(names, names, names, WORD)
    values = st.dictionaries(names, PLAIN, max_size=3)
    knobs = st.one_of(st.dictionaries(names, SPEC, min_size=1, max_size=3), PLAIN)
    points = st.one_of(st.dictionaries(WORD, values, max_size=2), PLAIN)
    whole = st.fixed_dictionaries(
        {"knobs": knobs}, optional={"points": points, "fixed": st.one_of(values, PLAIN)}
    )
    text = draw(st.one_of(whole.map(written), whole.map(written), knobs.map(written), WORD))
    return {"stage": stage, "space": text}


def written(value: Any) -> str:
    return str(yaml.safe_dump(value, allow_unicode=True))


def tried(case: dict[str, Any], scratch: Path) -> str:
    """Try one case to where work would begin; return the refusal, empty if it was accepted."""
    try:
        if "space" in case:
            try_space(case["stage"], case["space"])
        else:
            try_settings(case, scratch)
    except UserError as refused:
        return str(refused)
    except SystemExit as leaving:
        if leaving.code:
            raise
    return ""


def try_settings(case: dict[str, Any], scratch: Path) -> None:
    words = list(case["words"])
    if case["file"] is not None:
        path = scratch / "own.yaml"
        path.write_text(case["file"], encoding="utf-8", errors="surrogateescape")
        words.insert(0, f"--config={path}")
    as_dotted(parse(stage_module(case["stage"]).Config, case["stage"], words))


def try_space(stage: str, text: str) -> None:
    space = build_space(read_space(text, stage), TYPES[stage], stage)
    own = as_dotted(parse(stage_module(stage).Config, stage, []))
    for point in space.points.values():
        space.parameters(point, own)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    space.values(space.suggest(trial))


def check(case: dict[str, Any], scratch: Path) -> None:
    try:
        with no_hang():
            said = tried(case, scratch)
        assert len(said.splitlines()) <= 1, f"several lines: {said!r}"
        assert len(said) < LONGEST, f"too long to read: {said[:200]!r}"
    except BaseException:
        text = json.dumps(case, indent=1)
        kept = Path("build/faults") / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(text + "\n")
        raise


TRIED = settings(
    max_examples=CASES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


@TRIED
@given(case=cases())
def test_settings_are_accepted_or_refused(
    case: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    check(case, tmp_path_factory.getbasetemp())


@TRIED
@given(case=spaces())
def test_spaces_are_accepted_or_refused(
    case: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    check(case, tmp_path_factory.getbasetemp())


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path: Path, tmp_path: Path) -> None:
    said = tried(json.loads(path.read_text()), tmp_path)
    assert said, "each of these is a mistake of the user's, and says so"
    assert len(said.splitlines()) == 1
    assert len(said) < LONGEST
    assert said.isprintable()
