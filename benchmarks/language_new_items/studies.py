"""The two studies: their data, their cases, what is tried, and what decides."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from benchmarks.language import RESULTS
from recdistill.data import Cases, DataConfig, Temporal, prepare
from recdistill.evaluation import Shifted, calibrate_new_items
from recdistill.teachers import cache_root

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from recdistill.data import PreparedData
    from recdistill.evaluation import Calibration, Recommender

IDS, TFIDF, PRETRAINED, RANDOM = "ids", "ids and TF-IDF", "ids and MiniLM", "random weights"
Words = dict[str, Any]
# Far below every score: what is moved by it stands under all else.
_BELOW_ALL = -1e6


@dataclass(frozen=True)
class Study(ABC):
    """One data set and the one contrast that decides on it.

    Attributes
    ----------
    name : str
        Of its files and its tables.
    rows : tuple of str
        What is trained with every seed.
    primary : pair of rows
    secondary : tuple of pairs
    network : tuple of settings
        What a network needs is tried first: dropout and label smoothing.
    max_length, max_epochs, validate_every : int
    judged_by : "new" or "new_alone"
        New items' NDCG@10 in the whole catalog, or among new items alone.
    """

    name: str
    rows: tuple[str, ...]
    primary: tuple[str, str]
    secondary: tuple[tuple[str, str], ...]
    network: tuple[Words, ...]
    max_length: int
    max_epochs: int
    validate_every: int
    judged_by: Literal["new", "new_alone"]

    @property
    def results(self) -> Path:
        """Where trials and the verdict are."""
        return RESULTS / self.name

    @property
    def test(self) -> Path:
        """Where the ranks on the test part are."""
        return RESULTS / f"{self.name}-test"

    @property
    def work(self) -> Path:
        """Where checkpoints are kept; never committed."""
        return cache_root() / "benchmarks" / "language" / self.name

    @property
    def start(self) -> Words:
        """The settings of the first trial."""
        return self.network[0] | {"id_dropout": 0.0, "dim": 128}

    @abstractmethod
    def data(self) -> PreparedData:
        """Prepare the data."""

    @abstractmethod
    def cases(self, cases: Cases, on: PreparedData) -> Cases:
        """Keep the cases that count, known targets among them."""

    @abstractmethod
    def ranked(self, model: Recommender, on: PreparedData) -> Recommender:
        """Rank new items as the contrast asks: weighed against known ones, or among themselves."""

    @abstractmethod
    def told(self, cases: Cases, on: PreparedData) -> str:
        """Say in words what the cases of new items are."""

    def of_new_items(self, cases: Cases, on: PreparedData) -> Cases:
        """Keep the cases whose target training never met."""
        cases = self.cases(cases, on)
        return some(cases, never_met(on)[cases.targets])

    def calibrated(self, model: Recommender, on: PreparedData) -> Calibration:
        """Learn on validation what new items' scores lack beside known ones'."""
        return calibrate_new_items(model, self.cases(on.val, on), never_met(on))


class Retail(Study):
    """Online Retail, cut on two dates: seven weeks validate, all that is later tests."""

    FROM_VALIDATION, FROM_TEST = "2011-06-15", "2011-08-01"

    def data(self) -> PreparedData:
        """Cut at the two dates; every later purchase is a target."""
        rows = pd.read_parquet(_rows_at(self.name), columns=["timestamp"])["timestamp"]
        days = pd.to_datetime(rows, unit="s")
        # Shares of all purchases, since dates cannot be asked for.
        val, test = (
            (days >= pd.Timestamp(day)).mean() for day in (self.FROM_VALIDATION, self.FROM_TEST)
        )
        cuts = Temporal(val_share=float(val - test), test_share=float(test), targets="all")
        split = DataConfig(self.name, split="global_temporal", temporal=cuts)
        return prepare(split, self.work / "data")

    def cases(self, cases: Cases, on: PreparedData) -> Cases:
        """Keep the cases of known users whose target they had not had."""
        rows, _ = cases.history.keys()
        had = np.zeros(len(cases.targets), bool)
        had[rows[cases.history.items == cases.targets[rows]]] = True
        return some(cases, ~had & (on.train.lengths[cases.users] > 0))

    def ranked(self, model: Recommender, on: PreparedData) -> Recommender:
        """Move new products' scores by the shift under which known targets keep 98 %."""
        return Shifted(model, never_met(on), self.calibrated(model, on).chosen.shift)

    def told(self, cases: Cases, on: PreparedData) -> str:
        """Count first purchases of new products."""
        return _counted(cases, "first purchases", "new products", "bought")


class Films(Study):
    """MovieLens-1M: a seeded eighth of the films tests, another one validates."""

    def data(self) -> PreparedData:
        """Hold the films out whole."""
        split = DataConfig("ml-1m-sasrec", split="cold_items")
        return prepare(split, self.work / "data")

    def cases(self, cases: Cases, on: PreparedData) -> Cases:
        """Keep all."""
        return cases

    def ranked(self, model: Recommender, on: PreparedData) -> Recommender:
        """Rank films that training never met above all others, so among themselves."""
        return Shifted(model, ~never_met(on), _BELOW_ALL)

    def told(self, cases: Cases, on: PreparedData) -> str:
        """Count targets that are held-out films."""
        held_out = int(never_met(on)[1:].sum())
        return _counted(cases, "targets", f"the {held_out:,} held-out films", "watched")


def never_met(on: PreparedData) -> NDArray[np.bool_]:
    """Mark the items without a training interaction, shape [n_items + 1]."""
    new: NDArray[np.bool_] = np.bincount(on.train.items, minlength=on.catalog.n_items + 1) == 0
    return new


def some(cases: Cases, kept: NDArray[np.bool_]) -> Cases:
    """Keep the marked cases."""
    at = np.flatnonzero(kept)
    return Cases(cases.users[at], cases.history.take(at), cases.targets[at])


def _counted(cases: Cases, what: str, items: str, taken: str) -> str:
    often = np.sort(np.bincount(cases.targets))[::-1]
    n_items = int((often > 0).sum())
    among = f"{n_items:,} of {items}" if items.startswith("the ") else f"{n_items:,} {items}"
    return (
        f"{len(cases.targets):,} {what} by {len(np.unique(cases.users)):,} users of {among}, "
        f"{often[:10].sum() / often.sum():.0%} of them of the ten {taken} most"
    )


def _rows_at(dataset: str) -> Path:
    for folder in os.environ.get("RECDISTILL_DATA", "").split(os.pathsep):
        if (path := Path(folder) / dataset / "interactions.parquet").is_file():
            return path
    raise SystemExit(f"{dataset} is under no folder of RECDISTILL_DATA.")


def _grid(dropouts: tuple[float, ...]) -> tuple[Words, ...]:
    return tuple(
        {"dropout": dropout, "label_smoothing": smoothing}
        for dropout in dropouts
        for smoothing in (0.0, 0.1)
    )


RETAIL = Retail(
    "online-retail",
    rows=(IDS, TFIDF, PRETRAINED, RANDOM),
    primary=(PRETRAINED, TFIDF),
    secondary=((PRETRAINED, RANDOM), (RANDOM, TFIDF)),
    network=_grid((0.2, 0.4)),
    max_length=100,
    max_epochs=16,
    validate_every=2,
    judged_by="new",
)
FILMS = Films(
    "ml-1m-films",
    rows=(TFIDF, PRETRAINED, RANDOM),  # ids cannot rank films that nobody watched
    primary=(PRETRAINED, RANDOM),
    secondary=((PRETRAINED, TFIDF), (RANDOM, TFIDF)),
    network=_grid((0.1, 0.2)),
    max_length=100,
    max_epochs=4,
    validate_every=1,
    judged_by="new_alone",
)
STUDIES = {study.name: study for study in (RETAIL, FILMS)}
