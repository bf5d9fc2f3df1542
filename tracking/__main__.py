"""Run, keep and move the team server: ``python -m tracking start | stop | status | ...``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from recdistill.errors import UserError
from tracking._settings import DEFAULT_FILE, Secrets, Settings, fresh_secrets, load


def main() -> int:
    """Run one command; 0 is done, 1 is unhealthy, 2 a mistake of the user."""
    options = _parser().parse_args()
    os.umask(0o077)  # whatever this writes is for its owner alone
    try:
        return _run(options)
    except UserError as error:
        print(f"tracking {options.command}: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.command == "secrets":
        print(fresh_secrets(), end="")
        return 0
    settings = load(options.settings)
    if options.command == "retain":
        return _retain(options, settings)
    try:
        from tracking import _backup, _migration, _team
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is missing: pip install 'recdistill[server]'.") from None
    if options.command == "stop":
        _team.stop(settings)
        return 0
    secrets = Secrets.from_environment()
    match options.command:
        case "start":
            _team.start(settings, secrets)
        case "status":
            return 0 if _team.status(settings, secrets) else 1
        case "backup":
            print(f"backup: {_backup.backup(settings, secrets, options.folder)}")
        case "restore":
            _team.start_stores(settings, secrets)
            counts = _backup.restore(settings, secrets, options.folder)
            print("restored: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
        case "migrate":
            moved = _migration.migrate(options.store, options.artifacts, settings, secrets)
            print(f"{'':<28}{'here':>10}{'there':>10}", *_migration.named(moved), sep="\n")
    return 0


def _retain(options: argparse.Namespace, settings: Settings) -> int:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    from mlflow import MlflowClient

    from tracking import _retention

    if options.uri:
        mlflow.set_tracking_uri(options.uri)  # also for the artifacts, which ask no client
    client = MlflowClient()
    rules = settings.retention
    verdicts = _retention.judge(client, options.metric or rules.metric, rules.keep_last)
    going = [verdict for verdict in verdicts if not verdict.keep]
    for verdict in sorted(verdicts, key=lambda verdict: verdict.keep):
        print(verdict.line())
    if not options.yes:
        print(f"{len(going)} of {len(verdicts)} runs would go; nothing was changed. Add --yes.")
        return 0
    freed = sum(_retention.remove(client, verdict) for verdict in going)
    print(f"{len(going)} of {len(verdicts)} runs removed, {freed / 1e6:.1f} MB freed.")
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
    command = commands.add_parser("backup", help="dump databases and copy objects to a new folder")
    command.add_argument("folder", type=Path, help="the new folder is made in here")
    command = commands.add_parser(
        "restore", help="start the stores, empty as they must be, and fill them from a backup"
    )
    command.add_argument("folder", type=Path, help="the folder that backup wrote")
    command = commands.add_parser("migrate", help="move a local store to the empty team server")
    command.add_argument("--store", default="sqlite:///mlflow.db", help="(%(default)s)")
    command.add_argument(
        "--artifacts",
        type=Path,
        default=Path("mlartifacts"),
        help="of a local server (%(default)s)",
    )
    command = commands.add_parser(
        "retain",
        help="keep the best and last run of every stage, remove the rest (dry without --yes)",
    )
    command.add_argument("--uri", help="tracking address; default MLFLOW_TRACKING_URI")
    command.add_argument("--metric", help="what best means; default from the settings file")
    command.add_argument("--yes", action="store_true", help="really remove")
    return parser


if __name__ == "__main__":
    sys.exit(main())
