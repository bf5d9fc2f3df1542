"""The picture of an evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from recdistill.evaluation._outcomes import KS

if TYPE_CHECKING:
    from recdistill.evaluation._evaluation import Evaluation


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
