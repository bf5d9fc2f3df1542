"""The peer's half of `benchmarks.training_speed`: RecBole's SASRec, in an environment of its own.

RecBole makes each prefix of a history a row of its own, so a row of a batch is one target, and it
computes a whole history for it. An epoch of ML-1M takes hours, so what is timed is a fixed number
of batches of one: they are drawn from all rows and padded to one length, so each costs the same.
Reading and unfolding the data come before. Prints targets per CPU second as a line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.dataloader import TrainDataLoader
from recbole.model.sequential_recommender import SASRec
from recbole.trainer import Trainer

POSITIONS = 2048 * 50  # RecBole's own batch at its own length; longer rows are fewer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--batches", type=int, default=10)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write(np.load(args.data), Path(folder) / "train")
        config = settings(folder, args.length)
        torch.manual_seed(0)
        (rows,) = create_dataset(config).build()
        model = SASRec(config, rows)
        trainer = Trainer(config, model)
        batches = iter(TrainDataLoader(config, rows, sampler=None, shuffle=True))
        # The first one pays for the shuffle and for the optimizer's state.
        trainer._train_epoch(itertools.islice(batches, 1), 0)
        started = time.process_time()
        trainer._train_epoch(itertools.islice(batches, args.batches), 0)
        seconds = time.process_time() - started
    targets = args.batches * config["train_batch_size"]
    print(json.dumps({"targets": targets, "cpu_seconds": seconds,
                      "targets_per_cpu_second": targets / seconds}))  # fmt: skip


def write(arrays: dict[str, np.ndarray], folder: Path) -> None:
    """Write the interactions as RecBole reads them; one user's follow each other in time."""
    items, offsets = arrays["items"], arrays["offsets"]
    users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    folder.mkdir()
    np.savetxt(
        folder / "train.inter", np.stack([users, items, np.arange(len(items))], 1), fmt="%d",
        delimiter="\t", header="user_id:token\titem_id:token\ttimestamp:float", comments="",
    )  # fmt: skip


def settings(folder: str, length: int) -> Config:
    """Set what ours is set to."""
    return Config(
        model="SASRec", dataset="train",
        config_dict={
            "data_path": folder, "checkpoint_dir": folder, "use_gpu": False, "state": "ERROR",
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "eval_args": {"split": {"RS": [1]}, "group_by": "none", "order": "TO", "mode": "full"},
            "MAX_ITEM_LIST_LENGTH": length, "train_batch_size": POSITIONS // length,
            "train_neg_sample_args": None, "loss_type": "CE", "learning_rate": 1e-3,
            "n_layers": 2, "n_heads": 1, "hidden_size": 64, "inner_size": 64,
            "hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2, "hidden_act": "relu",
        },
    )  # fmt: skip


if __name__ == "__main__":
    main()
