"""Writing a teacher table: shard by shard, the manifest last."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from recdistill.checksums import write_description
from recdistill.lessons._known_scores import MOST_BYTES
from recdistill.lessons._table import COLUMNS, FORMAT, ITEM_EMBEDDINGS, MANIFEST, VALIDATION

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from recdistill.data import PreparedData, Sequences
    from recdistill.evaluation import Recommender


class TableWriter:
    """Takes scores, keeps the top of each row, and writes shards as they fill.

    The manifest is written by a clean exit from the ``with`` block and by nothing else, so a
    table without one was not finished and is refused.

    Parameters
    ----------
    folder : Path
        Emptied first.
    data : PreparedData
        Gives true items, histories to mask, and the digests.
    teacher_digest : str
    top_k : int
    logits : {"float16", "float32"}
        Relative to the row's best, so half precision is exact where it matters.
    mask_seen : bool
        Leave out items the user had before, as the evaluation does.
    rows_per_shard : int
    facts : dict
        Anything else for the manifest.
    """

    def __init__(
        self,
        folder: Path,
        data: PreparedData,
        *,
        teacher_digest: str,
        top_k: int = 100,
        logits: Literal["float16", "float32"] = "float16",
        mask_seen: bool = True,
        rows_per_shard: int = 65_536,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.folder, self.data = folder, data
        self.top_k = min(top_k, data.catalog.n_items)
        self.mask_seen, self.rows_per_shard = mask_seen, rows_per_shard
        self._formats = COLUMNS | {"logits": logits}
        self._facts = {
            "format": FORMAT,
            "catalog_digest": data.catalog.digest,
            "split_digest": data.split_digest,
            "teacher_digest": teacher_digest,
            "top_k": self.top_k,
            "mask_seen": mask_seen,
            "has_item_embeddings": False,
            "has_validation": False,
            **(facts or {}),
        }
        self._pending: list[dict[str, NDArray[Any]]] = []
        self._n_pending = 0
        self._n_rows = 0
        self._shards: list[str] = []

    def __enter__(self) -> TableWriter:
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            return
        self._flush()
        facts = {**self._facts, "n_rows": self._n_rows, "shards": self._shards}
        files = [path.name for path in self.folder.glob("*.npy")]
        write_description(self.folder / MANIFEST, facts, files)

    def add(
        self, users: NDArray[np.integer], positions: NDArray[np.integer], scores: torch.Tensor
    ) -> None:
        """Take the scores of some positions.

        Parameters
        ----------
        users, positions : int arrays, shape [n]
        scores : float tensor, shape [n, n_items + 1]
            Written over.
        """
        users, positions = users.astype(np.int64), positions.astype(np.int64)
        train = self.data.train
        targets = torch.from_numpy(train.items[train.offsets[users] + positions]).long()
        targets = targets.to(scores.device)[:, None]
        scores = scores.float()
        scores[:, 0] = -torch.inf
        if self.mask_seen:
            _mask(train, users, positions, scores)
        self.add_columns(users, positions, **_summarise(scores, targets, self.top_k))

    def add_columns(
        self,
        users: NDArray[np.integer],
        positions: NDArray[np.integer],
        **columns: NDArray[Any],
    ) -> None:
        """Take finished columns, as ``TeacherRows`` describes them."""
        rows = {"users": users, "positions": positions, **columns}
        self._pending.append(
            {name: rows[name].astype(kind, copy=False) for name, kind in self._formats.items()}
        )
        self._n_pending += len(users)
        if self._n_pending >= self.rows_per_shard:
            self._flush()

    def set_item_embeddings(self, embeddings: NDArray[np.float32]) -> None:
        """Keep what the teacher knows of every item, shape [n_items + 1, dim]."""
        if len(embeddings) != self.data.catalog.n_items + 1:
            raise ValueError("item embeddings need one row per item and one for padding")
        np.save(self.folder / ITEM_EMBEDDINGS, embeddings.astype(np.float32))
        self._facts["has_item_embeddings"] = True

    def set_validation(self, model: Recommender) -> None:
        """Keep the teacher's scores of the validation cases, unless they are very many."""
        histories = self.data.val.history
        if len(histories) * (self.data.catalog.n_items + 1) * 4 > MOST_BYTES:
            return
        scores = model.score(histories).float().cpu().numpy()
        np.save(self.folder / VALIDATION, scores)
        self._facts["has_validation"] = True

    def _flush(self) -> None:
        if not self._n_pending:
            return
        name = f"shard-{len(self._shards):05d}"
        for column in self._formats:
            whole = np.concatenate([part[column] for part in self._pending])
            np.save(self.folder / f"{name}.{column}.npy", whole)
        self._shards.append(name)
        self._n_rows += self._n_pending
        self._pending, self._n_pending = [], 0


def _mask(
    train: Sequences, users: NDArray[Any], positions: NDArray[Any], scores: torch.Tensor
) -> None:
    """Put -inf on everything the user had before each position."""
    offsets = np.concatenate([[0], np.cumsum(positions)])
    source = np.repeat(train.offsets[users] - offsets[:-1], positions)
    items = train.items[source + np.arange(offsets[-1])]
    row = torch.from_numpy(np.repeat(np.arange(len(users)), positions)).to(scores.device)
    scores[row, torch.from_numpy(items).long().to(scores.device)] = -torch.inf


def _summarise(scores: torch.Tensor, targets: torch.Tensor, top_k: int) -> dict[str, NDArray[Any]]:
    """Columns of a table from masked scores [n, n_items + 1] and targets [n, 1]."""
    logits, ids = scores.topk(top_k, dim=1)
    best = logits[:, :1]
    best = torch.where(torch.isfinite(best), best, torch.zeros_like(best))
    target = scores.gather(1, targets)
    n_above = (scores > target).sum(1)
    n_tied = (scores == target).sum(1) - 1
    columns = {
        "ids": ids.masked_fill(logits == -torch.inf, 0),
        "logits": logits - best,
        "log_total": (scores - best).logsumexp(1),
        "target_rank": n_above + 1 + 0.5 * n_tied,
        "reliability": (target - best).exp().squeeze(1),
    }
    return {name: column.cpu().numpy() for name, column in columns.items()}
