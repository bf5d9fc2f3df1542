"""The peer's half of `benchmarks.evaluation_speed`: RecTools' top-10 lists for all users."""

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
    args = parser.parse_args()
    torch.set_num_threads(1)
    arrays = np.load(args.data)
    lengths = np.diff(arrays["offsets"])
    users = np.repeat(np.arange(len(lengths)), lengths)
    frame = pd.DataFrame(
        {
            Columns.User: users,
            Columns.Item: arrays["items"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(np.arange(len(users)), unit="s"),
        }
    )
    dataset = Dataset.construct(frame)
    # A fit of one step over few users builds the model; recommending is what is timed.
    model = SASRecModel(
        n_factors=64, n_blocks=2, n_heads=1, session_max_len=args.length, loss="softmax",
        epochs=1, verbose=0, dataloader_num_workers=0, recommend_torch_device="cpu",
        get_trainer_func=one_step,
    )  # fmt: skip
    model.fit(dataset)
    everybody = np.arange(len(lengths))
    model.recommend(everybody[:64], dataset, k=10, filter_viewed=True)
    started = time.process_time()
    model.recommend(everybody, dataset, k=10, filter_viewed=True)
    rate = len(everybody) / (time.process_time() - started)
    print(json.dumps({"users_per_cpu_second": rate}))


def one_step(**_: object) -> object:
    from pytorch_lightning import Trainer

    return Trainer(max_steps=1, logger=False, enable_checkpointing=False,
                   enable_progress_bar=False, accelerator="cpu")  # fmt: skip


if __name__ == "__main__":
    main()
