"""Networks by name, and what ``train_baseline`` is told to train one."""

from __future__ import annotations

from typing import Any

WITH_TEXTS = "-text"
"""Ends the name of a network whose items have texts beside numbers of their own."""

# Where a network's settings differ from SASRec's of the same preset.
_OWN: dict[str, dict[str, Any]] = {
    "sasrec": {},
    "gru4rec": {"student.n_blocks": 1, "loss_options.label_smoothing": 0},
    "ligr": {},
    "hstu": {},
}
NETWORKS: tuple[str, ...] = (*_OWN, *(f"{name}{WITH_TEXTS}" for name in ("sasrec", "gru4rec")))


def network_parameters(name: str, text_run: str = "") -> dict[str, Any]:
    """Return the parameters of ``train_baseline`` that make a network.

    Examples
    --------
    >>> network_parameters("sasrec-text", "1f0c")
    {'model': 'sasrec', 'student.item': 'id+text', 'text_run': '1f0c'}
    """
    kind = name.removesuffix(WITH_TEXTS)
    texts = {"student.item": "id+text", "text_run": text_run} if kind != name else {}
    return {"model": kind} | _OWN[kind] | texts
