"""Damage to a saved folder, drawn from a number: the same number, the same damage."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.hangs import no_hang

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STRANGE = (None, True, -1, 0, 10**20, 1.5, float("nan"), "", "x", [], {}, [1], {"a": 1})


def damage(folder: Path, number: int) -> str:
    """Change one thing in the folder; return what, for the message of a failing test."""
    rng = np.random.default_rng(number)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    file = files[rng.integers(len(files))]
    kinds = [_flip, _cut, _grow, _zero, _remove, _empty, _swap]
    if file.suffix == ".json":
        kinds += [_edit] * len(kinds)
    kind = kinds[rng.integers(len(kinds))]
    kind(file, rng, files)
    return f"damage {number}: {kind.__name__} {file.relative_to(folder)}"


def _flip(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    content = bytearray(file.read_bytes())
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    file.write_bytes(bytes(content))


def _cut(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: rng.integers(len(content))])


def _grow(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    file.write_bytes(file.read_bytes() + rng.bytes(int(rng.integers(1, 50))))


def _zero(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    content = bytearray(file.read_bytes())
    at = int(rng.integers(len(content)))
    content[at : at + 16] = bytes(len(content[at : at + 16]))
    file.write_bytes(bytes(content))


def _remove(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    file.unlink()


def _empty(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    file.write_bytes(b"")


def _swap(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    other = files[rng.integers(len(files))]
    mine, theirs = file.read_bytes(), other.read_bytes()
    file.write_bytes(theirs)
    other.write_bytes(mine)


def _edit(file: Path, rng: np.random.Generator, files: list[Path]) -> None:
    """Another value, a missing word or a new one in the JSON, as an editor's hand makes it."""
    whole = json.loads(file.read_text())
    place: Any = whole
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[rng.integers(len(keys))]
        if not (isinstance(place[key], dict | list) and place[key] and rng.integers(2)):
            break
        place = place[key]
    act = rng.integers(3)
    if act == 0:
        place[key] = STRANGE[rng.integers(len(STRANGE))]
    elif act == 1:
        del place[key]
    elif isinstance(place, dict):
        place[f"{key}x"] = place.pop(key)
    else:
        place.insert(key, place[key])
    file.write_text(json.dumps(whole))


def same(a: Any, b: Any) -> bool:
    """Whether two readings of a folder say the same: arrays, tensors and plain values."""
    if hasattr(a, "numpy"):
        a, b = a.numpy(), b.numpy()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return bool(a == b)


def check_damages(
    folder: Path,
    copies: Path,
    read: Callable[[Path], Any],
    refusal: type[Exception],
    n: int,
    *,
    checked: bool = True,
    seed: int = 0,
) -> int:
    """Damage ``n`` copies; each must be refused in one sentence or read as if whole.

    Parameters
    ----------
    checked : whether the folder has checksums; without them another content cannot be told.
    seed : draws other damages.

    Returns
    -------
    How many were refused.
    """
    whole, refused = read(folder), 0
    for number in range(seed, seed + n):
        copy = copies / str(number)
        shutil.copytree(folder, copy)
        what = damage(copy, number)
        try:
            with no_hang():
                found = read(copy)
        except refusal as error:
            found, said = None, str(error)
        except Exception as error:
            raise AssertionError(f"{what} ended in {type(error).__name__}: {error}") from error
        else:
            said = ""
        assert "\n" not in said, what
        assert said or not checked or same(found, whole), (
            f"{what} changed what was read, without a word"
        )
        refused += bool(said)
        shutil.rmtree(copy)
    return refused
