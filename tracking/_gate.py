"""The door of the team server: nobody anonymous gets past it, and guessing is slow.

MLflow asks for a login itself, but leaves some of its routes open: its version, its pages, a few
that were added later. This gate stands before all of them and lets through ``/health`` and logins.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import math
import re
from typing import TYPE_CHECKING, Any

import anyio

from tracking._brake import Brake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence

    Scope = MutableMapping[str, Any]
    App = Callable[[Scope, Any, Any], Awaitable[None]]

# Parts of MLflow that run programs or call out on the server's machine; a tracking server has no
# use for them.
_CLOSED = re.compile(r"/gateway/|/(ajax-)?api/[\d.]+/(mlflow/)?(assistant|gateway|jobs)")
_AT_ONCE = 4  # parallel guesses that can be under way before the first of them has counted
# A name that exists costs a wrong password the time of hashing it; one that does not, nothing.
_WRONG_TAKES_SECONDS = 0.4


class Gate:
    """An ASGI application in front of another one.

    Parameters
    ----------
    check : says whether a name and a password belong together; may take its time.
    hosts : the names under which this server is called, with ``*`` for any letters. A page of
        another origin gets nothing, not even with the login that a browser remembers: MLflow itself
        trusts every page of localhost, which on a shared machine may be anybody's.
    """

    def __init__(
        self,
        app: App,
        check: Callable[[str, str], bool],
        hosts: Sequence[str],
        brake: Brake | None = None,
    ) -> None:
        self._app, self._check, self._hosts = app, check, hosts
        self._brake = Brake() if brake is None else brake  # an empty one has length 0
        self._limit: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = None
        if not (scope["path"] == "/health" and scope["method"] in ("GET", "HEAD")):
            refusal = await self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await _answer(send, *refusal)

    async def _refusal(self, scope: Scope) -> tuple[int, str, dict[str, str]] | None:
        if not all(self._own(origin) for origin in _values(scope["headers"], b"origin")):
            return 403, "A page of another origin gets nothing here.", {}
        login = _login(scope["headers"])
        if login is None:
            return 401, "Please log in: name and password.", {"WWW-Authenticate": 'Basic realm="m"'}
        name, address = login[0], scope["client"][0] if scope.get("client") else ""
        if self._limit is None:
            self._limit = anyio.CapacityLimiter(_AT_ONCE)
        async with self._limit:
            seconds = math.ceil(self._brake.wait(name, address))
            if seconds:
                said = f"Too many wrong passwords for this name; try again in {seconds} s."
                return 429, said, {"Retry-After": str(seconds)}
            asked = anyio.current_time()
            try:
                right = await anyio.to_thread.run_sync(self._check, *login)
            except Exception:  # whatever a database driver raises: nobody gets in by it
                return 503, "The database of logins does not answer; try again soon.", {}
            if not right:
                self._brake.wrong(name, address)
        if not right:
            await anyio.sleep_until(asked + _WRONG_TAKES_SECONDS)
            return 401, "Wrong name or password.", {"WWW-Authenticate": 'Basic realm="m"'}
        self._brake.right(name, address)
        if _CLOSED.match(scope["path"]):
            return 404, "The team server has no assistant, no gateway and no jobs.", {}
        return None

    def _own(self, origin: bytes) -> bool:
        """Whether an Origin, as a browser sends it, is this server under one of its names."""
        host = origin.decode("latin-1").lower().partition("://")[2]
        return any(fnmatch.fnmatchcase(host, known.lower()) for known in self._hosts)


def _values(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name.lower() == wanted]


def _login(headers: list[tuple[bytes, bytes]]) -> tuple[str, str] | None:
    """Read the name and password of a request; None unless there is exactly one login."""
    found = _values(headers, b"authorization")
    scheme, _, credentials = found[0].partition(b" ") if len(found) == 1 else (b"", b"", b"")
    if scheme.lower() != b"basic":
        return None
    try:
        text = base64.b64decode(credentials.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon and "\0" not in text else None


async def _answer(send: Any, status: int, text: str, headers: dict[str, str]) -> None:
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store", **headers}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": text.encode() + b"\n"})
