"""The three services together, in the order in which they need each other."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING

from tracking import _objects, _postgres, _server
from tracking._settings import Secrets

if TYPE_CHECKING:
    from tracking._processes import Service
    from tracking._settings import Settings


def services(settings: Settings, secrets: Secrets) -> list[Service]:
    """Return the services that are ours to start, first needed first."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    # Others may not look in; the services' own users must get through to their folders.
    settings.folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    found = []
    if settings.postgres.start:
        found.append(_postgres.service(settings, secrets))
    if settings.s3.start:
        found.append(_objects.service(settings, secrets))
    return [*found, _server.service(settings, secrets)]


def start_stores(settings: Settings, secrets: Secrets) -> None:
    """Start PostgreSQL and the S3 store, as far as they are ours, with databases and bucket."""
    for service in services(settings, secrets)[:-1]:
        if service.name == "postgres":
            _postgres.create_cluster(settings, secrets)
        else:
            _objects.prepare(service)
        _start(service)
    _postgres.create_databases(settings, secrets)
    _objects.create_bucket(settings, secrets)
    if settings.s3.start:
        _objects.wait_until_whole(settings, secrets)


def start(settings: Settings, secrets: Secrets) -> None:
    """Start whatever does not run; one that runs is left alone."""
    start_stores(settings, secrets)
    server = services(settings, secrets)[-1]
    _server.prepare(settings, server)
    if os.geteuid() == 0 and not server.identity:
        print("warning: server.system_user is root: MLflow runs as root", file=sys.stderr)
    _start(server)
    print(f"team server: {settings.server.url}  (login {settings.server.admin})", flush=True)


def _start(service: Service) -> None:
    print(f"{service.name}: process {service.start()}, log {service.log}", flush=True)


def stop(settings: Settings) -> None:
    """End our services, last started first; this needs no secret."""
    nothing = Secrets(*[""] * len(dataclasses.fields(Secrets)))
    for service in reversed(services(settings, nothing)):
        print(f"{service.name}: {'ended' if service.stop() else 'did not run'}", flush=True)
        if service.name == "s3":
            _objects.tidy(service)


def status(settings: Settings, secrets: Secrets) -> bool:
    """Print one line for each service; True when all of them answer."""
    healthy = True
    for service in services(settings, secrets):
        process, answers = service.process(), service.answers()
        state = "answers" if answers else "is silent" if process else "does not run"
        print(f"{service.name}: {state}" + (f" (process {process.pid})" if process else ""))
        healthy = healthy and answers
    return healthy
