"""An evaluation as files, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from recdistill.errors import UserError
from recdistill.evaluation._evaluation import Evaluation
from recdistill.evaluation._outcomes import KS

if TYPE_CHECKING:
    from pathlib import Path


def write_evaluation(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write ``per_user.parquet``, ``recall@10.json`` and ``recall@10.png`` into a folder.

    Returns
    -------
    The files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, summary, plot = (
        folder / name for name in ("per_user.parquet", "recall@10.json", "recall@10.png")
    )
    evaluation.per_user.to_parquet(table)
    summary.write_text(json.dumps(_summary(evaluation), indent=2) + "\n", "utf-8")
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


def recall_curve(evaluation: Evaluation) -> Figure:
    """Recall at every k, history masked and not, with 95% intervals."""
    metrics, attrs = evaluation.metrics(), evaluation.per_user.attrs
    figure = Figure(figsize=(6.4, 4.0), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    for prefix, label, color, nudge in (
        ("", "history masked", "#1f6feb", (-6, 8)),
        ("unmasked/", "history unmasked", "#6e7781", (6, -14)),
    ):
        values, low, high = (
            [metrics[f"{prefix}recall_at_{k}{end}"] for k in KS] for end in ("", "_low", "_high")
        )
        axes.fill_between(KS, low, high, color=color, alpha=0.15, linewidth=0)
        axes.plot(KS, values, marker="o", color=color, label=label)
        at_10 = values[KS.index(10)]
        axes.annotate(
            f"{at_10:.4f}",
            (10, at_10),
            xytext=nudge,
            textcoords="offset points",
            ha="right" if nudge[0] < 0 else "left",
            color=color,
        )
    axes.plot(
        KS, [k / attrs["n_items"] for k in KS], color="#d0d7de", linestyle="--", label="chance"
    )
    axes.set_xscale("log")
    axes.set_xticks(KS, [str(k) for k in KS])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set(xlabel="k", ylabel="recall@k")
    axes.set_title(
        f"{attrs['model']}: {metrics['n_users']:,.0f} users, {attrs['n_items']:,} items, "
        "95% intervals",
        fontsize=10,
        loc="left",
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#eaeef2")
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="upper left")
    return figure


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
        "interval_method": "Clopper-Pearson, 95%",
        "unmasked": recall("unmasked/"),
        **{str(name): value for name, value in attrs.items()},
        "lists": evaluation.lists,
    }
