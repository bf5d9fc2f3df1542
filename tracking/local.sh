#!/usr/bin/env bash
# One light tracking server on this machine: two processes, no telemetry, no job runner.
# Usage: tracking/local.sh [PORT]
set -eu
port="${1:-5000}"
cd "$(dirname "$0")/.."
export MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
if (exec 3<>"/dev/tcp/127.0.0.1/${port}") 2> /dev/null; then
  echo "Port ${port} is taken by another program, maybe a server of yours: look at http://127.0.0.1:${port}, or take another port: make ui PORT=5001" >&2
  exit 1
fi
echo "recdistill: http://127.0.0.1:${port}  (Ctrl-C ends it)"
exec mlflow server --host 127.0.0.1 --port "$port" --workers 1 --app-name recdistill \
  --backend-store-uri "${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}"
