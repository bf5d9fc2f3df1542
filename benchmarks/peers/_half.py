"""What the halves that count epochs share; each runs where nothing of ours is installed."""

from __future__ import annotations

import argparse
import json

import numpy as np


def read_words() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--epochs", type=int, nargs=2, default=[1, 3])
    return parser.parse_args()


def say(words: argparse.Namespace, lengths: np.ndarray, seconds: list[float]) -> None:
    """Print what one epoch costs, out of the CPU seconds of a short fit and a long one."""
    # Peers train on the newest `length` + 1 items of each user, so these are their real targets.
    targets = int(np.minimum(lengths - 1, words.length).clip(min=0).sum())
    per_epoch = (seconds[1] - seconds[0]) / (words.epochs[1] - words.epochs[0])
    print(json.dumps({"targets_per_epoch": targets, "cpu_seconds_per_epoch": per_epoch,
                      "targets_per_cpu_second": targets / per_epoch}))  # fmt: skip
