"""Resume a fit from its last checkpoint, if that is undamaged and belongs to this fit."""

from __future__ import annotations

import signal
import tempfile
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@runtime_checkable
class Resumable(Protocol):
    """State beside the model's that a resumed fit restores, such as an objective's diagnostics."""

    def state(self) -> Mapping[str, Any]:
        """Return numbers, texts and tensors that :meth:`restore` needs."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        ...


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C leave a Lightning fit as what it is: Lightning itself exits with status 1."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as leaving:
        if isinstance(leaving.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        # Lightning ignores every later Ctrl-C of the process.
        with suppress(ValueError):  # not the main thread, where nothing was changed either
            signal.signal(signal.SIGINT, handler)


@contextmanager
def kept_folder(folder: Path | None) -> Iterator[Path]:
    """Make the checkpoint folder, or a passing one where nobody wants to keep it."""
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="recdistill-fit-") as passing:
            yield Path(passing)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def signature_lines(facts: Mapping[str, object]) -> str:
    """List what identifies a fit, one ``name=value`` a line."""
    return "\n".join(f"{name}={facts[name]}" for name in sorted(facts))


def resumable_checkpoint(
    path: Path, signature: str, read: Callable[[dict[str, Any]], str]
) -> Path | None:
    """Return the checkpoint if there is one to go on from; nothing in it is ever executed.

    Parameters
    ----------
    path : Path
    signature : str
        Of this fit; see :func:`signature_lines`.
    read : callable
        Takes the checkpoint's content and returns the signature it was written with.

    Raises
    ------
    UserError
        If the file is damaged, no checkpoint, or of a fit with other settings, seed or data.
    """
    if not path.exists():
        return None
    try:
        # torch leaves the checksums of the archive that it writes unread.
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise ValueError(f"its part {damaged} has another checksum")
        saved = read(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    except Exception as error:
        # Whatever a damaged or planted file makes torch or zipfile say, the answer is the same.
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(
            f"{path} is damaged or no checkpoint of ours ({reason}); remove that file to start "
            "this training anew."
        ) from None
    if saved != signature:
        raise UserError(
            f"{path} belongs to a fit with other settings or data: "
            f"{_difference(saved, signature)}. Continue with the same settings, or remove that "
            "file to start anew."
        )
    return path


def _difference(saved: str, wanted: str) -> str:
    has, asked = (_by_name(lines) for lines in (saved, wanted))
    names = [name for name in sorted({**has, **asked}) if has.get(name) != asked.get(name)]
    return "; ".join(f"it has {_fact(n, has)}, asked for is {_fact(n, asked)}" for n in names)


def _by_name(lines: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in lines.splitlines())}


def _fact(name: str, facts: Mapping[str, str]) -> str:
    return f"{name}={facts[name]}" if name in facts else f"no {name}"
