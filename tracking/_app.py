"""The application that the team server's workers run: MLflow with logins, behind the gate."""

from __future__ import annotations

import math
import os

from tracking._gate import Gate
from tracking._locations import close_other_stores, wish_for_elsewhere, wish_in


def keep_one_client() -> None:
    """Let MLflow talk to the object store by one client for as long as it runs.

    It makes one every five minutes, in case credentials change, and keeps the last 64 with their
    connections. The team server's credentials do not change while it runs.
    """
    from mlflow.store.artifact import s3_artifact_repo

    s3_artifact_repo._MAX_CACHE_SECONDS = math.inf


def create_app() -> Gate:
    """Return the ASGI application; everything it needs to know is in the environment."""
    from flask import Response, request
    from mlflow.server import app, auth
    from mlflow.server.constants import ARTIFACTS_DESTINATION_ENV_VAR

    def refuse_other_locations() -> Response | None:
        body = request.get_json(force=True, silent=True) if request.method == "POST" else None
        problem = wish_for_elsewhere(request.path, wish_in(body))
        return Response(problem + "\n", 400, mimetype="text/plain") if problem else None

    # Before MLflow's own questions, some of which read the wish; the gate has seen a login already.
    app.before_request(refuse_other_locations)
    keep_one_client()
    application = auth.create_app(app)
    close_other_stores(os.environ[ARTIFACTS_DESTINATION_ENV_VAR])
    return Gate(
        application,
        lambda name, password: bool(auth._authenticate_cached(name, password)),
        os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"].split(","),
    )
