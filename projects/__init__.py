"""The stages: one file per entry point, each read top to bottom."""

import sys
from importlib.util import find_spec
from pathlib import Path

# An environment that `mlflow run` built holds the libraries but not this checkout.
if find_spec("recdistill") is None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
