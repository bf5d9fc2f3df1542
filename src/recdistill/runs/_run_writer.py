"""What a stage writes into its run: figures, words, files, the data it worked on."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag, Param, RunTag

from recdistill.runs._metric_buffer import MetricBuffer
from recdistill.runs._names import is_made_up, run_name
from recdistill.runs._phases import measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient

    from recdistill.data import PreparedData


class RunWriter:
    """Writes into one run of MLflow; metrics in the background.

    Attributes
    ----------
    id : the run written to.
    folder : a scratch folder for files on their way to the run.
    """

    def __init__(self, client: MlflowClient, run_id: str, folder: Path, waiting: Path) -> None:
        self.client, self.id, self.folder = client, run_id, folder
        self._buffer = MetricBuffer(client, run_id, waiting)
        self._n_told = 0

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Take metrics; they are written in the background, in batches."""
        self._buffer.add(metrics, step)

    def log_progress(self, share: float, seconds_left: float) -> None:
        """Take how far the step at hand is; against the time these figures are a curve."""
        self._n_told += 1
        figures = {"progress/share": share}
        if math.isfinite(seconds_left):
            figures["progress/seconds_left"] = seconds_left
        self.log_metrics(figures, self._n_told)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Write parameters; MLflow keeps the first value given to a name for ever."""
        rows = [Param(key, str(value)[:6000]) for key, value in params.items()]
        for start in range(0, len(rows), 100):
            self.client.log_batch(self.id, params=rows[start : start + 100])

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Write tags, replacing those of the same name."""
        self.client.log_batch(self.id, tags=[RunTag(k, str(v)[:8000]) for k, v in tags.items()])

    def name(self) -> str:
        """Return the run's readable name."""
        return self.client.get_run(self.id).info.run_name or self.id

    def rename(self, lead: str, end: str = "") -> None:
        """Give the run its readable name (:func:`run_name`), unless a person already gave one."""
        if is_made_up(self.name()):
            self.client.set_tag(self.id, "mlflow.runName", run_name(lead, end))

    def note(self, markdown: str) -> None:
        """Set the card shown on top of the run's page; MLflow takes 8,000 characters of it."""
        self.client.set_tag(self.id, "mlflow.note.content", markdown[:8000])

    def log_artifact(self, path: Path, folder: str | None = None) -> None:
        """Keep a file, or a folder with everything in it, under ``folder`` of the run."""
        if path.is_dir():
            self.client.log_artifacts(self.id, str(path), folder)
        else:
            self.client.log_artifact(self.id, str(path), folder)

    def log_text(self, text: str, name: str) -> None:
        """Keep a text as the artifact ``name``."""
        # Not the client's own log_text, whose copy in the system's temporary folder outlives a
        # process that is killed.
        path = self.folder / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        inside = Path(name).parent.as_posix()
        self.client.log_artifact(self.id, str(path), None if inside == "." else inside)

    def log_dict(self, content: Any, name: str) -> None:
        """Keep plain values as JSON or YAML, by the ending of ``name``."""
        if name.endswith((".yaml", ".yml")):
            text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        else:
            text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        self.log_text(text, name)

    def log_data(self, data: PreparedData) -> None:
        """Link the data set, with our own digest over every row, and tag the run with it."""
        manifest = data.manifest
        self.set_tags(
            {
                "dataset": data.dataset,
                "split": manifest.get("split", "leave_one_out"),
                "catalog.digest": data.catalog.digest,
                "split.digest": data.split_digest,
                "data.folder": data.folder.name,
            }
            | ({"catalog.parent": data.catalog.parent} if data.catalog.parent else {})
            | ({"data.parent": manifest["parent"]["folder"]} if "parent" in manifest else {})
        )
        inputs = []
        source = CodeDatasetSource(
            {"recdistill.manifest": json.dumps(manifest, default=str)[:4000]}
        )
        for part, context in (("train", "training"), ("val", "validation"), ("test", "test")):
            dataset = MetaDataset(source, name=f"{data.dataset}-{part}", digest=data.split_digest)
            inputs.append(
                DatasetInput(
                    dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", context)]
                )
            )
        self.client.log_inputs(self.id, datasets=inputs)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block and log its seconds and memory peaks (``time/...``, ``memory/...``)."""
        figures: dict[str, float] = {}
        try:
            with measured(name, figures):
                yield
        finally:
            self.log_metrics(figures)
