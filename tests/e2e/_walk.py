"""Every door of a server's processes, and who gets an answer there without a login."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTH = {"/health", "/healthz", "/status"}
"""Where anybody may ask whether a service is well; the object store's two answer without a body."""
# Pages, interfaces and data of PostgreSQL's neighbours: of MLflow, of SeaweedFS's parts, of S3.
PATHS = [
    *("/", "/health", "/healthz", "/status", "/version", "/metrics", "/signup", "/static-files/x"),
    *("/api/2.0/mlflow/experiments/search?max_results=1", "/ajax-api/2.0/mlflow/users/list"),
    *("/ajax-api/3.0/mlflow/server-info", "/api/3.0/mlflow/server-info", "/graphql"),
    *("/ajax-api/3.0/mlflow/assistant/status", "/gateway/x/mlflow/invocations", "/v1/traces"),
    *("/api/2.0/mlflow-artifacts/artifacts/1/x", "/api/2.0/mlflow/experiments/create"),
    *(
        "/buckets/",
        "/buckets/recdistill/?pretty=y",
        "/dir/assign",
        "/dir/status",
        "/cluster/status",
    ),
    *("/vol/grow", "/ui/index.html", "/stats/counter", "/debug/pprof/", "/recdistill", "/x/y"),
]
METHODS = ["GET", "PUT", "POST", "DELETE"]


@dataclass(frozen=True)
class Answer:
    """What an anonymous caller got."""

    port: int
    request: str
    status: int
    body: bytes


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all that it started."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def ports(processes: list[psutil.Process]) -> set[tuple[str, int]]:
    """Return every address and port on which the processes listen."""
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in _connections(processes, "tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def sockets(processes: list[psutil.Process]) -> set[str]:
    """Return the socket files on which the processes listen."""
    found = {
        str(connection.laddr)
        for connection in _connections(processes, "unix")
        if connection.laddr and not connection.raddr
    }
    return {path for path in found if path.startswith("/")}


def _connections(processes: list[psutil.Process], kind: str) -> Iterator[Any]:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it served a connection that has ended since
            yield from process.net_connections(kind)


def answers(port: int, host: str | None) -> Iterator[Answer]:
    """Knock at a port without a login, in plain and over TLS; yield what answers in HTTP."""
    for secure in (False, True):
        if not _speaks_http(port, secure=secure):
            continue
        for path in PATHS:
            for method in METHODS:
                answer = _ask(port, method, path, host, secure=secure)
                if answer:
                    yield answer


def http2_preface(port: int) -> bytes:
    """Open a connection as gRPC does; return what comes back in plain."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as plain:
        plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        plain.settimeout(1)
        try:
            return plain.recv(1000)
        except OSError:
            return b""


def _speaks_http(port: int, *, secure: bool) -> bool:
    return _ask(port, "GET", "/", None, secure=secure) is not None


def _ask(port: int, method: str, path: str, host: str | None, *, secure: bool) -> Answer | None:
    if secure:
        anyone = ssl.create_default_context()
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        link: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=3, context=anyone
        )
    else:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        body = None if method == "GET" else b'{"name": "intruder"}'
        link.request(method, path, body, {"Host": host} if host else {})
        reply = link.getresponse()
        return Answer(port, f"{method} {path}", reply.status, reply.read(2000))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        link.close()
