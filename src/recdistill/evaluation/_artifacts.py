"""An evaluation as files, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd

from recdistill.errors import UserError
from recdistill.evaluation._evaluation import Evaluation

if TYPE_CHECKING:
    from pathlib import Path


def write_evaluation(evaluation: Evaluation, folder: Path, *, picture: bool = True) -> list[Path]:
    """Write ``per_user.parquet``, ``recall@10.json`` and ``recall@10.png`` into a folder.

    Parameters
    ----------
    picture : bool
        False leaves out the last, which takes longer than to evaluate a floor.

    Returns
    -------
    The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, summary = folder / "per_user.parquet", folder / "recall@10.json"
    evaluation.per_user.to_parquet(table)
    summary.write_text(json.dumps(_summary(evaluation), indent=2) + "\n", "utf-8")
    if not picture:
        return [table, summary]
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from recdistill.evaluation._recall_curve import recall_curve

    plot = folder / "recall@10.png"
    FigureCanvasAgg(recall_curve(evaluation)).print_png(plot)
    return [table, summary, plot]


def load_evaluation(folder: Path) -> Evaluation:
    """Read back what `write_evaluation` wrote.

    Raises
    ------
    UserError
        If a file is missing.
    """
    table, summary = folder / "per_user.parquet", folder / "recall@10.json"
    for path in (table, summary):
        if not path.is_file():
            raise UserError(f"There is no evaluation in {folder}: it has no {path.name}.")
    lists = json.loads(summary.read_text("utf-8"))["lists"]
    return Evaluation(pd.read_parquet(table), lists)


def _summary(evaluation: Evaluation) -> dict[str, object]:
    metrics, attrs = evaluation.metrics(), evaluation.per_user.attrs

    def recall(prefix: str) -> dict[str, object]:
        name = f"{prefix}recall_at_10"
        return {
            "value": metrics[name],
            "hits": metrics[f"{prefix}hits_at_10"],
            "n": len(evaluation.per_user),
            "interval": [metrics[f"{name}_low"], metrics[f"{name}_high"]],
        }

    return {
        "metric": "recall@10",
        **recall(""),
        "interval_method": evaluation.interval_method,
        "unmasked": recall("unmasked/"),
        **{str(name): value for name, value in attrs.items()},
        "lists": evaluation.lists,
    }
