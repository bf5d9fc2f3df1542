"""A sweep as one web page that needs no network: the table and four pictures to play with."""

from __future__ import annotations

import html
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import TrialState

from recdistill.sweeps._queue import score
from recdistill.sweeps._summary import evaluator, trial_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from optuna import Study

    from recdistill.sweeps._space import Space
    from recdistill.sweeps._study import StudySpec

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1200px; color: #1c2733;
  padding: 0 1rem; }
table { border-collapse: collapse; font-size: 13px; } td, th { padding: 3px 9px; text-align: right;
  border-bottom: 1px solid #e3e7eb; white-space: nowrap; } th { position: sticky; top: 0;
  background: #fff; } .table { max-height: 480px; overflow: auto; border: 1px solid #e3e7eb; }
"""


def page(study: Study, spec: StudySpec, space: Space, *, summary: str) -> str:
    """Return the page; plotly's code is in it once, some five megabytes."""
    from plotly.offline import get_plotlyjs

    table = trial_table(study, spec, space)
    parts = [
        f"<!doctype html><meta charset=utf-8><title>{html.escape(study.study_name)}</title>",
        f"<style>{_STYLE}</style><h1>{html.escape(study.study_name)}</h1>",
        f"<p>{html.escape(summary)}</p>",
        f"<h2>All {len(table)} trials</h2><div class=table>",
        table.to_html(index=False, na_rep="", float_format=lambda v: f"{v:.4g}", border=0),
        "</div>",
        # After what can be read at once: a browser takes a moment over five megabytes.
        f"<script>{get_plotlyjs()}</script>",
        *_figures(study, spec),
    ]
    return "\n".join(parts)


def _figures(study: Study, spec: StudySpec) -> list[str]:
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < 2:
        return []
    show = optuna.visualization
    kinds: dict[str, Callable[..., object]] = {
        "History": show.plot_optimization_history,
        "What mattered": partial(show.plot_param_importances, evaluator=evaluator()),
        "All knobs together": show.plot_parallel_coordinate,
        "Each knob alone": show.plot_slice,
    }
    # Without a target, optuna knows which way is up; with several objectives it must be given one.
    of: dict[str, Any] = {"target_name": spec.metric}
    if len(spec.objectives) > 1:
        of["target"] = score
    out = []
    for title, plot in kinds.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                drawn: Any = plot(study, **of)
        except (ValueError, RuntimeError):  # too few trials, or no knob that all share
            continue
        drawn.update_layout(template="plotly_white", title=None, height=420, margin={"t": 30})
        body = drawn.to_html(full_html=False, include_plotlyjs=False)
        out.append(f"<h2>{title}</h2>{body}")
    return out
