"""Artifacts lie in the server's own store and nowhere else: no folder, no other host.

MLflow lets whoever creates an experiment say where its artifacts are, ``file:///`` included, and
then reads and writes there with the rights of the server. Two things stand against it here: such a
wish is refused when it is made, with a sentence, and the server's process has no means of opening
any other place, whatever its database says.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_OWN = re.compile(r"(runs|models|mlflow-artifacts):/(?!/)[^?#\\]*", re.DOTALL)


def wish_in(body: Any) -> dict[str, Any]:
    """Return the wish in a request's JSON; MLflow also takes a text that is JSON once more."""
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return {}
    return body if isinstance(body, dict) else {}


def wish_for_elsewhere(path: str, wish: dict[str, Any]) -> str:
    """Say what is wrong with the artifact location in a request; empty when nothing is.

    Parameters
    ----------
    path : of the request.
    wish : its JSON body; protocol buffers know every field by two spellings.
    """
    if path.endswith("/experiments/create") and (
        wish.get("artifact_location") or wish.get("artifactLocation")
    ):
        return "This server chooses where artifacts lie: leave artifact_location out."
    if path.endswith("/model-versions/create"):
        source = str(wish.get("source") or "")
        # A word without scheme and path is what MLflow writes for prompts; it opens nothing.
        if "/" in source and not _own(source):
            return "A model comes from a run of this server: give runs:/ or models:/ as source."
    return ""


def _own(uri: str) -> bool:
    """Whether an address names something of this server: no host, no question, no way up."""
    return _OWN.fullmatch(uri) is not None and ".." not in _plain(uri).split("/")


def _plain(uri: str) -> str:
    """Unquote until nothing is quoted: who comes after may do so once more than we do."""
    while (plain := unquote(uri)) != uri:
        uri = plain
    return uri


def within(destination: str, uri: str) -> bool:
    """Whether an address lies in the store at ``destination``, with no way out of it."""
    try:
        here, there = urlsplit(destination), urlsplit(uri)
    except ValueError:  # "s3://[": no address at all
        return False
    if (here.scheme, here.netloc) != (there.scheme, there.netloc) or there.query or there.fragment:
        return False
    base, parts = here.path.strip("/").split("/"), _plain(there.path).strip("/").split("/")
    return ".." not in parts and parts[: len(base)] == base


def close_other_stores(destination: str) -> None:
    """Leave MLflow in this process no artifact repository but the server's own store."""
    from mlflow.store.artifact import artifact_repository_registry as known

    registry = known._artifact_repository_registry
    own = urlsplit(destination).scheme
    for scheme, repository in list(registry.get_registered_artifact_repositories().items()):
        registry.register(scheme, _guarded(scheme, own, destination, repository))


def _guarded(
    scheme: str, own: str, destination: str, repository: Callable[..., Any]
) -> Callable[..., Any]:
    from mlflow.exceptions import MlflowException

    def build(artifact_uri: str, *words: Any, **named: Any) -> Any:
        if not _own(artifact_uri) and not (scheme == own and within(destination, artifact_uri)):
            raise MlflowException.invalid_parameter_value(
                "These artifacts lie outside this server's own store, so it does not open them."
            )
        return repository(artifact_uri, *words, **named)

    return build
