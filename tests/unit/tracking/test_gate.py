"""The gate lets through logins and the health check, and tells the rest nothing."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING, Any

import pytest

from tracking._brake import Brake
from tracking._gate import Gate

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD = ("ada", "a good passphrase")


def ask(
    gate: Gate, path: str = "/x", method: str = "GET", headers: Sequence[tuple[bytes, bytes]] = ()
) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": list(headers)}
    asyncio.run(gate({**scope, "client": ("10.0.0.1", 5)}, None, send))
    return sent[0]["status"], sent[1]["body"]


def basic(name: str, password: str) -> tuple[bytes, bytes]:
    return b"Authorization", b"Basic " + base64.b64encode(f"{name}:{password}".encode())


def gate(**options: Any) -> Gate:
    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})

    options = {"hosts": ["127.0.0.1:5001", "*.example.org"], **options}
    return Gate(inside, lambda name, password: (name, password) == GOOD, **options)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/version", "/health/", "/healthx", "/static-files/health"])
def test_nameless_get_nothing(path: str, method: str) -> None:
    assert ask(gate(), path, method)[0] == 401


def test_health_is_open_for_reading_alone() -> None:
    assert ask(gate(), "/health") == (200, b"inside")
    assert ask(gate(), "/health", "POST")[0] == 401


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Basic",
        b"Basic !!!",
        b"Basic " + base64.b64encode(b"no colon"),
        b"Basic " + base64.b64encode(b"\xff:\xff"),
        b"Basic " + base64.b64encode(b"ada\0:a good passphrase"),
        b"Bearer " + base64.b64encode(b"ada:a good passphrase"),
    ],
)
def test_malformed_logins_are_none(value: bytes) -> None:
    assert ask(gate(), headers=[(b"authorization", value)])[0] == 401


def test_a_login_gets_in_and_two_are_none() -> None:
    assert ask(gate(), headers=[basic(*GOOD)]) == (200, b"inside")
    assert ask(gate(), headers=[basic(*GOOD), basic("bob", "guess")])[0] == 401


def test_while_braked_even_the_right_password_waits() -> None:
    door = gate(brake=Brake(free=1, clock=lambda: 0.0))
    assert ask(door, headers=[basic("ada", "guess")])[0] == 401
    assert ask(door, headers=[basic("ada", "guess")])[0] == 401
    status, said = ask(door, headers=[basic(*GOOD)])
    assert status == 429
    assert said.count(b"\n") == 1


def test_broken_database_lets_nobody_in() -> None:
    def broken(name: str, password: str) -> bool:
        raise ConnectionError("gone")

    assert ask(Gate(gate(), broken, ["x"]), headers=[basic(*GOOD)])[0] == 503


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ajax-api/3.0/mlflow/assistant/message", 404),
        ("/ajax-api/2.0/mlflow/gateway-proxy", 404),
        ("/gateway/x/mlflow/invocations", 404),
        ("/api/2.0/mlflow-artifacts/artifacts/1/gateway/assistant", 200),
    ],
)
def test_what_runs_programs_is_closed(path: str, status: int) -> None:
    assert ask(gate(), path, headers=[basic(*GOOD)])[0] == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (b"http://127.0.0.1:5001", 200),
        (b"https://MLflow.example.org", 200),
        (b"http://localhost:5001", 403),  # this one is not called so
        (b"http://127.0.0.1:9999", 403),  # another user's page on the same machine
        (b"http://[::1]:5001", 403),
        (b"https://example.org.evil.example", 403),
        (b"null", 403),
        (b"", 403),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_of_another_origin_gets_nothing_with_a_remembered_login(
    origin: bytes, status: int, method: str
) -> None:
    headers = [basic(*GOOD), (b"Origin", origin)]
    assert ask(gate(), "/x", method, headers)[0] == status


def test_the_time_of_a_refusal_does_not_tell_who_has_a_login() -> None:
    def check(name: str, password: str) -> bool:
        if name == "ada":
            time.sleep(0.1)  # a hash
        return False

    taken = []
    for name in ("ada", "nobody"):
        began = time.monotonic()
        assert ask(Gate(_nothing, check, ["x"]), headers=[basic(name, "guess")])[0] == 401
        taken.append(time.monotonic() - began)
    assert min(taken) >= 0.4


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody gets here")
