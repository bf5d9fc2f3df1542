"""The peer's half of `benchmarks.training_speed`: RePlay's SASRec, in an environment of its own.

Reads the training interactions from an .npz, writes them as the Parquet that RePlay reads, trains
twice for different numbers of epochs, and prints what one epoch costs as a line of JSON.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import lightning
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from _half import read_words, say
from replay.data import FeatureHint, FeatureSource, FeatureType
from replay.data.nn import ParquetModule, TensorFeatureInfo, TensorFeatureSource, TensorSchema
from replay.nn.lightning import LightningModule
from replay.nn.sequential import SasRec
from replay.nn.transform.template import make_default_sasrec_transforms


def main() -> None:
    args = read_words()
    torch.set_num_threads(1)
    arrays = np.load(args.data)
    distinct, items = np.unique(arrays["items"], return_inverse=True)
    offsets = arrays["offsets"]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "train.parquet")
        pq.write_table(pa.table({"item_id": pa.ListArray.from_arrays(offsets, items)}), path)
        seconds = [fit(path, len(distinct), args.length, n_epochs) for n_epochs in args.epochs]
    say(args, np.diff(offsets), seconds)


def fit(path: str, n_items: int, length: int, n_epochs: int) -> float:
    """Return the CPU seconds of a whole fit."""
    torch.manual_seed(0)
    source = TensorFeatureSource(FeatureSource.INTERACTIONS, "item_id")
    item = TensorFeatureInfo(
        "item_id", FeatureType.CATEGORICAL, is_seq=True, feature_hint=FeatureHint.ITEM_ID,
        feature_sources=[source], cardinality=n_items, padding_value=n_items, embedding_dim=64,
    )  # fmt: skip
    schema = TensorSchema([item])
    data = ParquetModule(
        batch_size=128, train_path=path, transforms=make_default_sasrec_transforms(schema),
        metadata={"train": {"item_id": {"shape": length + 1, "padding": n_items}}},
    )  # fmt: skip
    model = SasRec.from_params(
        schema, embedding_dim=64, num_heads=1, num_blocks=2, max_sequence_length=length, dropout=0.2
    )
    trainer = lightning.Trainer(
        max_epochs=n_epochs, accelerator="cpu", limit_val_batches=0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    started = time.process_time()
    trainer.fit(LightningModule(model), datamodule=data)
    return time.process_time() - started


if __name__ == "__main__":
    main()
