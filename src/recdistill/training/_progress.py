"""After every epoch: validate the averaged weights, keep the best, be ready to resume."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from safetensors.torch import save_model

from recdistill.evaluation import evaluate
from recdistill.ranks import SharedScores, current, is_lead
from recdistill.students import score_histories
from recdistill.training._averaging import AveragedWeights
from recdistill.training._resume import Resumable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import Tensor

    from recdistill.data import PreparedData, Sequences
    from recdistill.students import SequentialModel
    from recdistill.training._config import FitConfig
    from recdistill.training._module import TrainingModule
    from recdistill.training._step import Objective

SELECTED_BY = "val/ndcg_at_10"


class Validated:
    """The model under training as evaluation sees it."""

    def __init__(self, model: SequentialModel, catalog_digest: str) -> None:
        self.model, self.catalog_digest = model, catalog_digest
        self.query_time = model.query_time

    def score(self, histories: Sequences) -> Tensor:
        """See ``evaluation.Recommender``."""
        return score_histories(self.model, histories)


class Progress(pl.Callback):
    """Averages, validates, stops early, and writes ``best.safetensors`` and ``last.ckpt``.

    Parameters
    ----------
    data : PreparedData
    config : FitConfig
    log : callable
        Receives ``(metrics, epoch)``.
    folder : Path
    signature : str
        Says what is being fitted.
    objective : Objective
        What is minimised; its state is kept where it has one.
    """

    def __init__(
        self,
        data: PreparedData,
        config: FitConfig,
        log: Callable[[Mapping[str, float], int], None],
        folder: Path,
        signature: str,
        objective: Objective,
    ) -> None:
        self.data, self.config, self.report, self.folder = data, config, log, folder
        self.signature, self.objective = signature, objective
        self.history: list[dict[str, float]] = []
        self.average: AveragedWeights | None = None
        self._restored: dict[str, Any] = {}

    @property
    def best(self) -> dict[str, float]:
        """The validation with the highest NDCG@10 so far; the earliest of equals."""
        return max(self.history, key=lambda entry: entry[SELECTED_BY])

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the average from the weights that training starts from."""
        if self.config.ema_decay:
            self.average = AveragedWeights(_model(pl_module), self.config.ema_decay)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take up a resumed run, once the model is on its device; one that had stopped stops."""
        if self._restored:
            if self.average is not None:
                self.average.restore(**self._restored["average"])
            if isinstance(self.objective, Resumable):
                self.objective.restore(self._restored["objective"])
        self._stop_if_stalled(trainer)

    def on_before_optimizer_step(self, *args: Any) -> None:
        """Let the average see which rows the step is about to touch."""
        if self.average is not None:
            self.average.before_step()

    def on_train_batch_end(self, *args: Any) -> None:
        """Average the weights."""
        if self.average is not None:
            self.average.update()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log the epoch; on validation epochs judge, keep and save."""
        module: TrainingModule = pl_module  # type: ignore[assignment]
        seconds = time.perf_counter() - module.began[0]
        n_targets: float = module.n_targets
        cpu_seconds = time.process_time() - module.began[1]
        if group := current():
            n_targets, cpu_seconds = group.sums([n_targets, cpu_seconds])
        epoch = trainer.current_epoch + 1
        metrics = module.epoch_means() | {
            "train/lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "train/targets_per_second": n_targets / seconds,
            "train/targets_per_cpu_second": n_targets / cpu_seconds,
        }
        due = epoch % self.config.validate_every == 0 or epoch == self.config.max_epochs
        if due:
            metrics |= self._validate(module.model)
            self.history.append({"epoch": float(epoch)} | metrics)
            if self.best is self.history[-1]:
                self._keep_best(module.model)
        self.report(metrics, epoch)
        if due:
            self._save_last(trainer)
            self._stop_if_stalled(trainer)

    def _stop_if_stalled(self, trainer: pl.Trainer) -> None:
        if self.history and self._n_since_best() >= self.config.patience > 0:
            trainer.should_stop = True

    def _validate(self, model: SequentialModel) -> dict[str, float]:
        with self._averaged():
            evaluation = evaluate(
                SharedScores(Validated(model, self.data.catalog.digest)),
                self.data.val,
                self.data.catalog,
                self.data.train,
            )
        return {
            f"val/{metric}_at_10": float(evaluation.outcome(metric, 10).mean())
            for metric in ("recall", "ndcg", "mrr")
        }

    def _averaged(self) -> Any:
        return self.average.swapped_in() if self.average is not None else nullcontext()

    def _keep_best(self, model: SequentialModel) -> None:
        if not is_lead():
            return
        path = self.folder / "best.safetensors"
        with self._averaged():
            save_model(model, str(path.with_suffix(".partial")))
        path.with_suffix(".partial").replace(path)

    def _save_last(self, trainer: pl.Trainer) -> None:
        path = self.folder / "last.ckpt"
        trainer.save_checkpoint(path.with_suffix(".partial"))  # of all ranks, the first one writes
        if is_lead():
            path.with_suffix(".partial").replace(path)

    def _n_since_best(self) -> int:
        return len(self.history) - 1 - self.history.index(self.best)

    def state_dict(self) -> dict[str, Any]:
        """Lightning puts this into ``last.ckpt``."""
        return {
            "signature": self.signature,
            "history": self.history,
            "average": self.average.state() if self.average is not None else None,
            "objective": dict(self.objective.state())
            if isinstance(self.objective, Resumable)
            else {},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a run where ``last.ckpt`` left it."""
        self.history = state_dict["history"]
        self._restored = state_dict

    @staticmethod
    def signature_in(checkpoint: dict[str, Any]) -> str:
        """Find the signature in a checkpoint of Lightning's."""
        return str(checkpoint["callbacks"][Progress.__qualname__]["signature"])


def _model(module: pl.LightningModule) -> SequentialModel:
    return module.model  # type: ignore[return-value]
