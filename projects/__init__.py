"""The stages: one file per entry point, each read top to bottom."""

import atexit
import gc
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

# Until the stage takes over: Ctrl-C while the libraries load ends at once, without a traceback.
# Nothing is open yet, and an exception may be swallowed by whatever is being imported.
if sys.argv[:1] == ["-m"]:
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    # Searching what the libraries leave for circular garbage, over and over while they load and
    # again at the end, took a third of the time of a stage that computes little.
    gc.disable()
    atexit.register(gc.freeze)

# MLflow decides while it is imported whether to report usage to its makers.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# Threads that wait for each other sleep instead of spinning: on a machine with other work, spinning
# makes a step of training many times slower. Read when torch is loaded, so it stands here.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# An environment that `mlflow run` built holds the libraries but not this checkout.
if find_spec("recdistill") is None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
