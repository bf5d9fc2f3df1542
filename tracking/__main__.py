"""Run, keep and move the team server: ``python -m tracking start | stop | status | ...``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recdistill.errors import UserError
from tracking._settings import DEFAULT_FILE, Secrets, fresh_secrets, load


def main() -> int:
    """Run one command; 0 is done, 1 unhealthy or different, 2 a mistake of the user."""
    options = _parser().parse_args()
    if options.command == "secrets":
        print(fresh_secrets(), end="")
        return 0
    try:
        return _run(options)
    except UserError as error:
        print(f"tracking {options.command}: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    from tracking import _team  # the server's packages are optional; 'secrets' needs none

    settings = load(options.settings)
    if options.command == "stop":
        _team.stop(settings)
        return 0
    secrets = Secrets.from_environment()
    match options.command:
        case "start":
            _team.start(settings, secrets)
        case "status":
            return 0 if _team.status(settings, secrets) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tracking", description=__doc__)
    parser.add_argument(
        "--settings", type=Path, default=DEFAULT_FILE, help="settings file (%(default)s)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("secrets", help="print fresh secrets for a .env file")
    commands.add_parser("start", help="start PostgreSQL, the S3 store and MLflow; wait for them")
    commands.add_parser("stop", help="end them cleanly")
    commands.add_parser("status", help="say what answers; exit status 1 when something does not")
    return parser


if __name__ == "__main__":
    sys.exit(main())
