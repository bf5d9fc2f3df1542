"""Start MLflow's server behind the gate: ``python -m tracking._web``, by the services alone.

It takes the place of ``mlflow server``, which has no way to put anything in front of MLflow's own
application. What is secret comes from the environment, as there.
"""

from __future__ import annotations

import argparse
import os


def main() -> None:
    """Bring the databases up to date, create the administrator, and serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--allowed-hosts", required=True)
    parser.add_argument("--trusted-proxies", default="")
    options = parser.parse_args()

    from mlflow.environment_variables import _MLFLOW_AUTH_ADMIN_BOOTSTRAPPED, _MLFLOW_SGI_NAME
    from mlflow.server import _UVICORN_LOG_CONFIG, constants

    store, root = os.environ["MLFLOW_BACKEND_STORE_URI"], "mlflow-artifacts:/"
    os.environ |= {
        constants.BACKEND_STORE_URI_ENV_VAR: store,
        constants.REGISTRY_STORE_URI_ENV_VAR: store,
        constants.ARTIFACT_ROOT_ENV_VAR: root,
        constants.ARTIFACTS_DESTINATION_ENV_VAR: os.environ["MLFLOW_ARTIFACTS_DESTINATION"],
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        "MLFLOW_SERVER_ALLOWED_HOSTS": options.allowed_hosts,
        "MLFLOW_ENABLE_AI_GATEWAY": "false",
        _MLFLOW_SGI_NAME.name: "uvicorn",
    }
    import uvicorn
    from mlflow.server import auth
    from mlflow.server.handlers import initialize_backend_stores

    # Once, before there are workers that would do the same side by side.
    initialize_backend_stores(store, store, root)
    auth.get_flask_server_secret_key()
    auth.bootstrap_admin_user()
    os.environ[_MLFLOW_AUTH_ADMIN_BOOTSTRAPPED.name] = "true"
    uvicorn.run(
        "tracking._app:create_app",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers,
        log_config=str(_UVICORN_LOG_CONFIG),
        # Who calls is who the connection says, unless a proxy is trusted to say it: otherwise
        # anybody could give each guess of a password another address.
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=options.trusted_proxies,
        # A worker that a busy machine keeps waiting for five seconds is not dead.
        timeout_worker_healthcheck=120,
        server_header=False,
    )


if __name__ == "__main__":
    main()
