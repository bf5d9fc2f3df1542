"""The peer's half of `benchmarks.training_speed`: RecTools' SASRec, in an environment of its own.

Reads the training interactions from an .npz (RecTools needs numpy 1, so no Parquet), trains twice
for different numbers of epochs, and prints what one epoch costs as a line of JSON.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
from _half import read_words, say
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel


def main() -> None:
    args = read_words()
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
    say(args, lengths, seconds)


if __name__ == "__main__":
    main()
