"""What is saved says how it was saved: a JSON file with the checksums of its folder and its own.

Every saved model, table and transfer set has such a description; it is written last, so a folder
without one was not finished, and read first, so nothing damaged is used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tokenize
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

# What strange words and sizes make constructors and arithmetic raise.
_MISFITS = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError),
    *(ArithmeticError, MemoryError, OSError, EOFError),
    *(SyntaxError, tokenize.TokenError),  # numpy reads the header of an array as Python
)
_LOG = logging.getLogger(__name__)


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """Return 32 hex digits over the names and contents of all files below a folder."""
    sha = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        sha.update(str(path.relative_to(folder)).encode())
        sha.update(hashlib.sha256(path.read_bytes()).digest())
    return sha.hexdigest()[:32]


def write_description(path: Path, facts: Mapping[str, Any], files: Iterable[str]) -> None:
    """Write ``facts`` as JSON, with the checksums of ``files`` beside it and of itself.

    Parameters
    ----------
    facts : plain values, ``format`` (a whole number) among them; all come back when it is read
    files : names relative to the folder of ``path``; all of them are there already
    """
    listed = {
        name: {
            "bytes": (path.parent / name).stat().st_size,
            "sha256": file_sha256(path.parent / name),
        }
        for name in sorted(files)
    }
    whole = {**facts, "files": listed}
    scratch = path.with_name(f"{path.name}.partial")
    text = json.dumps(whole | {"sha256": _digest(whole)}, indent=1)
    scratch.write_text(text + "\n", encoding="utf-8")
    scratch.replace(path)


def parse_description(path: Path, what: str) -> dict[str, Any]:
    """Read a description without comparing anything, to learn what it is a description of.

    Raises
    ------
    UserError
        When it is not there or is no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it is no JSON object")
    except FileNotFoundError:
        raise UserError(
            f"{path.parent} holds no {what}: it has no {path.name}; what wrote it did not finish, "
            "or the folder is another one."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, what, error) from None
    return found


def read_description(
    path: Path, what: str, *, formats: Sequence[int], checked_from: int, verify: bool = True
) -> dict[str, Any]:
    """Read what ``write_description`` wrote, and compare every file it lists.

    Parameters
    ----------
    what : of what it is the description, for the sentence: "model", "teacher table".
    formats : those that the caller reads, the newest last
    checked_from : the first format that always has checksums; older ones are read with a warning
    verify : whether to read the listed files through; their sizes are always compared.

    Raises
    ------
    UserError
        When it is not there, is of another format, is not as it was written, or a listed file is
        not.
    """
    found = parse_description(path, what)
    number = found.get("format", 1)
    if type(number) is not int or number not in formats:
        raise UserError(
            f"The {what} in {path.parent} has format {number!r} and this version reads "
            f"{' and '.join(map(str, formats))}: make it again, or use the release that wrote it."
        )
    if number >= checked_from or "sha256" in found:
        if found.pop("sha256", None) != _digest(found):
            raise _changed(path, what)
    elif "files" not in found:
        _LOG.warning(
            "%s was saved before checksums: nothing tells whether its files are as they were "
            "written. Make the %s again to have them checked.",
            path.parent,
            what,
        )
    for name, recorded in _listed(found, path, what).items():
        file = path.parent / name
        if not file.is_file():
            raise UserError(f"The {what} in {path.parent} lacks its file {name}: make it again.")
        if file.stat().st_size != recorded["bytes"] or (
            verify and file_sha256(file) != recorded["sha256"]
        ):
            raise _changed(file, what)
    return found


def read_tensors(path: Path, what: str) -> dict[str, Tensor]:
    """Read a safetensors file whose numbers are all finite.

    Raises
    ------
    UserError
        When it cannot be read, or holds a number that is none.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, ValueError, SafetensorError) as error:
        raise _unreadable(path, what, error) from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{path} has a value in '{name}' that is no finite number.")
    return tensors


@contextmanager
def understanding(path: Path, what: str) -> Iterator[None]:
    """Turn what reading a strange description raises into one sentence.

    For a description whose words or sizes fit nothing here: one from before checksums that was
    changed since, or one put together by hand.

    Raises
    ------
    UserError
        In place of the errors of missing words, wrong types and sizes that do not fit.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (*_MISFITS, SafetensorError) as error:
        raise UserError(
            f"{path} describes no {what} that this version can make "
            f"({type(error).__name__}: {one_line(error)}); make it again."
        ) from error


def one_line(error: BaseException) -> str:
    """Return an error's first line of text."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _digest(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _listed(found: Mapping[str, Any], path: Path, what: str) -> dict[str, dict[str, Any]]:
    listed = found.get("files", {})
    right = isinstance(listed, dict) and all(
        isinstance(entry, dict) and {"bytes", "sha256"} <= entry.keys() for entry in listed.values()
    )
    if not right:
        raise _changed(path, what)
    return dict(listed)


def _unreadable(path: Path, what: str, error: BaseException) -> UserError:
    return UserError(f"{path} cannot be read ({one_line(error)}); make the {what} again.")


def _changed(path: Path, what: str) -> UserError:
    return UserError(
        f"{path} is not as it was written (its checksum differs): the {what} is damaged or was "
        "edited; make it again, or bring back the files as they were."
    )
