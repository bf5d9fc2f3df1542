"""The champion as MLflow serves it: names in, names, titles and scores out."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd  # noqa: TC002  MLflow reads the hints of predict when it loads this
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType, Array

from recdistill.errors import UserError
from recdistill.serving._top_k import TopK

DEFAULT_K = 10

# AnyType and not an array of strings: MLflow checks arrays one element at a time, which takes
# longer than the model, and cuts a null to the letter "n". We check the elements ourselves.
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(AnyType(), "history")]),
    outputs=Schema(
        [
            ColSpec(Array(DataType.string), "items"),
            ColSpec(Array(DataType.string), "titles"),
            ColSpec(Array(DataType.double), "scores"),
        ]
    ),
    params=ParamSchema(
        [
            ParamSpec("k", DataType.long, DEFAULT_K),
            ParamSpec("exclude", DataType.string, [], shape=(-1,)),
            ParamSpec("keep_history", DataType.boolean, False),
        ]
    ),
)


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """Top-k items after a history, as an MLflow model without any pickle.

    Input: a column ``history``, in each row a list of raw ids or titles, oldest first. Parameters:
    ``k``, ``exclude`` (raw ids or titles never recommended) and ``keep_history`` (whether items of
    the history may come back). Output: per row the lists ``items`` (raw ids), ``titles`` and
    ``scores``, best first.
    """

    def load_context(self, context: Any) -> None:
        """Read weights and catalog, and run once: the first pass of a process is the slowest."""
        self.top_k = TopK.read(Path(context.artifacts["student"]))
        self.top_k.recommend(np.array([1]), np.array([0, 1]), 1)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """See the class. What is wrong with a request comes back as status 400 and one sentence."""
        options = params or {}
        try:
            return self._predict(
                list(model_input["history"]),
                int(options.get("k", DEFAULT_K)),
                list(options.get("exclude", ())),
                keep_history=bool(options.get("keep_history", False)),
            )
        except UserError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from None

    def _predict(
        self, histories: list[Any], k: int, exclude: list[Any], *, keep_history: bool
    ) -> list[dict[str, Any]]:
        names = self.top_k.names
        barred = sorted(set(names.resolve(exclude, "exclude")))
        lengths = _lengths(histories)
        try:
            flat = names.resolve(chain.from_iterable(histories), "history")
        except UserError:
            for row, history in enumerate(histories):  # again, slowly, to say in which row
                names.resolve(history, f"history of row {row}")
            raise
        items, offsets = np.array(flat, np.int64), np.concatenate([[0], np.cumsum(lengths)])
        _check_k(k, names.n_items, barred, items, offsets, keep_history=keep_history)
        best, scores = self.top_k.recommend(
            items, offsets, k, exclude=barred, keep_history=keep_history
        )
        columns = names.raw_ids[best].tolist(), names.titles[best].tolist(), scores.tolist()
        return [
            {"items": raw_ids, "titles": titles, "scores": values}
            for raw_ids, titles, values in zip(*columns, strict=True)
        ]


def _lengths(histories: list[Any]) -> list[int]:
    lengths = []
    for row, history in enumerate(histories):
        if not isinstance(history, list | tuple | np.ndarray):
            raise UserError(
                f"history of row {row} is {history!r}; it must be a list of raw ids or titles, "
                "oldest first."
            )
        if len(history) == 0:
            raise UserError(
                f"history of row {row} is empty; the student needs at least one item to go by."
            )
        lengths.append(len(history))
    if not lengths:
        raise UserError("The request holds no history.")
    return lengths


def _check_k(
    k: int,
    n_items: int,
    barred: list[int],
    items: np.ndarray[Any, Any],
    offsets: np.ndarray[Any, Any],
    *,
    keep_history: bool,
) -> None:
    left = n_items - len(barred)
    longest = int(np.diff(offsets).max())
    if not keep_history and k > left - longest:  # only then is it worth counting repeats
        out = set(barred)
        rows = np.split(items, offsets[1:-1])
        left = n_items - max(len(out.union(row.tolist())) for row in rows)
    if left < 1:
        raise UserError(
            f"Nothing is left to recommend: the catalog has {n_items} items, and history and "
            "exclude name all of them. keep_history=true recommends from the history too."
        )
    if not 1 <= k <= left:
        raise UserError(
            f"k is {k}; it must be between 1 and {left}: the catalog has {n_items} items, less "
            "those excluded and, unless keep_history is true, those of the longest history."
        )
