"""MLflow's server, with its user interface set up for people who train and compare models.

Registered as the MLflow app ``recdistill`` (``mlflow server --app-name recdistill``). MLflow opens
a first-time visitor's screen on its tools for chat applications, with an assistant's panel over a
quarter of it; the settings of the browser that a person would change once are set before the page
loads, and stay the person's to change. The assistant can also run programs on the server's machine
for whoever reaches it from there, so its routes are left out altogether.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_SETTINGS = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
    "mlflow.assistant.panelOpen_v1": False,
    "mlflow.workflowType_v1": "machine_learning",
}
_ASSISTANT = "/ajax-api/3.0/mlflow/assistant"
_SCRIPT = """<script>
for (const [key, value] of Object.entries(%s))
  if (localStorage.getItem(key) === null) localStorage.setItem(key, JSON.stringify(value));
</script>
<style>[data-assistant-ui] { display: none !important; }</style>
"""


def create_app() -> Any:
    """Return the ASGI application that ``mlflow server`` runs."""
    from flask import Response
    from mlflow.server import app
    from mlflow.server.fastapi_app import create_fastapi_app
    from starlette.responses import PlainTextResponse

    page = Path(app.static_folder) / "index.html"

    def serve() -> Response:
        return Response(settled(page.read_text()), mimetype="text/html")

    app.view_functions["serve"] = serve
    application = create_fastapi_app(app)

    async def without_assistant(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(_ASSISTANT):
            await PlainTextResponse("not here", status_code=404)(scope, receive, send)
        else:
            await application(scope, receive, send)

    return without_assistant


def settled(page: str) -> str:
    """Return MLflow's page with the settings put in front of its own scripts."""
    return page.replace("<head>", "<head>" + _SCRIPT % json.dumps(_SETTINGS), 1)
