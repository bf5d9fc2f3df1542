"""The peer's half of `benchmarks.training_speed`: RecTools' SASRec, in an environment of its own.

Reads the training interactions from an .npz (RecTools needs numpy 1, so no Parquet), trains twice
for different numbers of epochs, and prints what one epoch costs as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import pandas as pd
import torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--epochs", type=int, nargs=2, default=[1, 3])
    args = parser.parse_args()
    torch.set_num_threads(1)
    arrays = np.load(args.data)
    items, offsets = arrays["items"], arrays["offsets"]
    lengths = np.diff(offsets)
    frame = pd.DataFrame(
        {
            Columns.User: np.repeat(np.arange(len(lengths)), lengths),
            Columns.Item: items,
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(np.arange(len(items)), unit="s"),
        }
    )
    dataset = Dataset.construct(frame)
    seconds = []
    for n_epochs in args.epochs:
        torch.manual_seed(0)
        model = SASRecModel(
            n_factors=64, n_blocks=2, n_heads=1, session_max_len=args.length, dropout_rate=0.2,
            loss="softmax", batch_size=128, epochs=n_epochs, lr=1e-3, verbose=0,
            dataloader_num_workers=0, deterministic=False,
        )  # fmt: skip
        started = time.process_time()
        model.fit(dataset)
        seconds.append(time.process_time() - started)
    # It trains on the newest `length` + 1 items of each user, so these are its real targets.
    targets = int(np.minimum(lengths - 1, args.length).clip(min=0).sum())
    per_epoch = (seconds[1] - seconds[0]) / (args.epochs[1] - args.epochs[0])
    print(json.dumps({"targets_per_epoch": targets, "cpu_seconds_per_epoch": per_epoch,
                      "targets_per_cpu_second": targets / per_epoch}))  # fmt: skip


if __name__ == "__main__":
    main()
