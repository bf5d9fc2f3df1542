"""Recommend to millions of users: Parquet in, Parquet out, in parts that can be resumed."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytorch_lightning as pl
from torch.utils.data import DataLoader, IterableDataset

from recdistill import object_store
from recdistill.data import whole_histories
from recdistill.errors import UserError
from recdistill.progress import progress_of
from recdistill.serving._contents import (
    contents_of_everybody,
    contents_of_student,
    contents_of_users,
)
from recdistill.serving._histories import Part, n_rows_of, parts_of_everybody, read_parts
from recdistill.serving._names import ItemNames
from recdistill.serving._output import Output, part_name
from recdistill.serving._top_k import TopK
from recdistill.training import lightning_quiet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from recdistill.data import PreparedData, Sequences

    _Everybody = tuple[NDArray[np.object_], Sequences]

_UNKNOWN, _EMPTY = b"recdistill.n_unknown", b"recdistill.n_empty"


@dataclass(frozen=True)
class Scoring:
    """What is computed; a folder of results holds one of these, and refuses another.

    With it the folder notes what the student and the users held (``_contents``).

    Attributes
    ----------
    model : names the student, as by its run id
    users : the input's path; empty for all users of the prepared data
    k : items per user
    exclude : raw ids never recommended
    keep_history : whether items of a user's history may come back
    titles : whether to write titles beside the raw ids
    part_size : users per output file
    new_items : the item file that the student was packaged with; empty for none
    """

    model: str
    users: str
    k: int = 10
    exclude: tuple[str, ...] = ()
    keep_history: bool = False
    titles: bool = False
    part_size: int = 20_000
    new_items: str = ""


@dataclass(frozen=True)
class Workforce:
    """Who computes: ``devices`` processes of one machine, and which share of the parts is theirs.

    ``shard`` (from 0) of ``n_shards`` is for job arrays on several machines that share a folder.
    """

    devices: int = 1
    accelerator: str = "auto"
    shard: int = 0
    n_shards: int = 1


@dataclass(frozen=True)
class Scored:
    """Counts over all finished parts of a folder; ``n_earlier`` of them were there before."""

    n_users: int
    n_empty: int
    n_unknown: int
    n_parts: int
    n_earlier: int


def score(
    student: Path,
    scoring: Scoring,
    output: Path | str,
    *,
    data: PreparedData | None = None,
    workforce: Workforce | None = None,
) -> Scored:
    """Write ``part-*.parquet`` with columns user, items, scores (and titles) into ``output``.

    A part appears under its name only when it is complete; parts that are there already are left
    alone, so an interrupted scoring goes on where it stopped. A user none of whose items the
    catalog knows gets empty lists. ``scoring.users`` and ``output`` may be addresses in an object
    store: the input is copied to this machine once, a part is uploaded when it is complete.

    Parameters
    ----------
    student : a folder from ``gather_student``
    data : the prepared data, where ``scoring.users`` is empty: everybody is scored with everything
        they did, also what its split held back or left out

    Raises
    ------
    UserError
        When ``output`` holds the result of another scoring, or of the same on other contents; the
        input cannot be read or changes meanwhile; or ``data`` lacks interactions that its split
        left out.
    """
    force = workforce or Workforce()
    folder = Output.at(output)
    n_earlier = len(folder.parts())
    settings = asdict(scoring) | {"exclude": list(scoring.exclude)}
    folder.require(settings)  # before anything is fetched
    everybody = None if data is None else whole_histories(data)
    with tempfile.TemporaryDirectory() as scratch:
        users = object_store.local_copy(scoring.users, Path(scratch), "users")
        held = contents_of_users(users) if everybody is None else contents_of_everybody(*everybody)
        of_student = contents_of_student(student, with_new_items=bool(scoring.new_items))
        folder.claim(settings | {"contents of users": held} | of_student)
        n_rows = n_rows_of(users) if everybody is None else len(everybody[0])
        with progress_of("score", "rows of users", n_rows) as line:
            # Processes of their own tell nothing.
            report = line.advance if force.devices == 1 else None
            with lightning_quiet():
                _predict(student, scoring, folder, users, force, everybody, report)
        if everybody is None and contents_of_users(users) != held:
            raise UserError(
                f"{users} was written while it was read: remove {folder} and start again."
            )
    return _count(folder, n_earlier)


def _predict(
    student: Path,
    scoring: Scoring,
    output: Output,
    users: Path,
    force: Workforce,
    everybody: _Everybody | None,
    report: Callable[[int], None] | None,
) -> None:
    trainer = pl.Trainer(
        accelerator=force.accelerator,
        devices=force.devices,
        strategy="ddp_spawn" if force.devices > 1 else "auto",
        callbacks=[_PartWriter(output)],
        use_distributed_sampler=False,  # the parts are shared out below
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    scorer = _Scorer(student, scoring, output, users, force, everybody, report)
    trainer.predict(scorer, return_predictions=False)


class _Parts(IterableDataset[Part]):
    """Those of the parts that are worker ``mine`` of ``n``'s to do, and not done yet.

    ``report`` is told of every part's rows once it is behind, whoever did it.
    """

    def __init__(
        self,
        parts: Iterator[Part],
        output: Output,
        mine: int,
        n: int,
        report: Callable[[int], None] | None,
    ) -> None:
        self.parts, self.output, self.mine, self.n = parts, output, mine, n
        self.report = report

    def __iter__(self) -> Iterator[Part]:
        done = set(self.output.parts())
        for part in self.parts:
            if part.index % self.n == self.mine and part_name(part.index) not in done:
                yield part
            if self.report is not None:
                self.report(part.n_rows)


class _Scorer(pl.LightningModule):
    """Lightning decides where and in how many processes; ``TopK`` does the work."""

    def __init__(
        self,
        student: Path,
        scoring: Scoring,
        output: Output,
        users: Path,
        force: Workforce,
        everybody: _Everybody | None,
        report: Callable[[int], None] | None,
    ) -> None:
        super().__init__()
        self.student, self.scoring, self.output, self.users = student, scoring, output, users
        self.force, self.everybody, self.report = force, everybody, report

    def predict_dataloader(self) -> DataLoader[Part]:
        """Return this process's share of the parts."""
        size = self.scoring.part_size
        if self.everybody is not None:
            parts = parts_of_everybody(*self.everybody, size)
        else:
            names = ItemNames.read(self.student / "catalog.csv")
            parts = read_parts(self.users, names.raw_ids, size)
        n_here, rank = self.trainer.world_size, self.trainer.global_rank
        mine, n = self.force.shard * n_here + rank, self.force.n_shards * n_here
        return DataLoader(_Parts(parts, self.output, mine, n, self.report), batch_size=None)

    def setup(self, stage: str) -> None:
        """Load the student in the process, and on the device, that uses it."""
        n_threads = max(1, (os.cpu_count() or 1) // self.force.devices)
        device = str(self.trainer.strategy.root_device)
        self.top_k = TopK.read(self.student, device=device, n_threads=n_threads)
        self.excluded = self.top_k.names.resolve(self.scoring.exclude, "exclude")

    def transfer_batch_to_device(self, batch: Part, device: Any, dataloader_idx: int) -> Part:
        """Leave a part where it is: ``TopK`` moves a pass at a time."""
        return batch

    def predict_step(self, part: Part) -> pa.Table:
        """Return the output rows of one part."""
        wanted, names = self.scoring, self.top_k.names
        lengths = np.diff(part.offsets)
        known = lengths > 0
        offsets = np.concatenate([[0], np.cumsum(lengths[known])])
        best, scores = self.top_k.recommend(
            part.items, offsets, wanted.k, exclude=self.excluded, keep_history=wanted.keep_history
        )
        # Where a long history leaves fewer than k items, the list is shorter.
        real = np.isfinite(scores)
        kept = np.zeros(len(lengths), np.int64)
        kept[known] = real.sum(1)
        ends = pa.array(np.concatenate([[0], np.cumsum(kept)]), pa.int32())
        ids = pa.array(best[real] - 1)
        columns = {"user": part.users, "items": _lists(ends, names.raw_ids[1:], ids)}
        if wanted.titles:
            columns["titles"] = _lists(ends, names.titles[1:], ids)
        columns["scores"] = pa.ListArray.from_arrays(ends, pa.array(scores[real]))
        counts = {_UNKNOWN: str(part.n_unknown), _EMPTY: str(int((~known).sum()))}
        return pa.table(columns).replace_schema_metadata(counts)


class _PartWriter(pl.Callback):
    """Writes a part as soon as it is computed, whole or not at all."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Part,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Hand the part over."""
        self.output.write_part(batch.index, outputs)


def _lists(ends: pa.Array, values: np.ndarray[Any, Any], ids: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(ends, pa.array(values, pa.string()).take(ids))


def _count(output: Output, n_earlier: int) -> Scored:
    totals = {_UNKNOWN: 0, _EMPTY: 0}
    n_users = n_parts = 0
    for name in output.parts():
        footer = output.footer(name)
        n_users, n_parts = n_users + footer.num_rows, n_parts + 1
        for key in totals:
            totals[key] += int(footer.metadata[key])
    return Scored(n_users, totals[_EMPTY], totals[_UNKNOWN], n_parts, n_earlier)
