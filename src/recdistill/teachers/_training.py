"""The training of a teacher: steps, checks, averaging, selection, resume."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import LightningModule
from torch.utils.data import DataLoader

from recdistill.errors import UserError
from recdistill.memory import watch_step
from recdistill.ranks import SharedScores
from recdistill.teachers._backward_in_pieces import BackwardInPieces
from recdistill.teachers._checks import require_finite_gradients, require_gradients
from recdistill.teachers._meter import Meter
from recdistill.teachers._progress import Progress, put
from recdistill.teachers._recommender import TeacherRecommender
from recdistill.teachers._schedule import parameter_groups, warmup_cosine
from recdistill.teachers._token_batches import TokenSampler
from recdistill.teachers._windows import Batch, WindowBatches, training_windows, window_histories
from recdistill.training import shared_out, signature_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recdistill.data import Sequences
    from recdistill.evaluation import Recommender
    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._training_settings import TrainingSettings

_logger = logging.getLogger(__name__)


class TeacherModule(LightningModule):
    """Full-catalog softmax at every supervised position.

    Optimisation is manual because a step must be able to start over (`BackwardInPieces`).

    Parameters
    ----------
    network : TeacherNetwork
    histories : Sequences
        Training histories.
    settings : TrainingSettings
    validate : callable
        Takes the recommender and returns metrics with the key ``ndcg_at_10``.
    log_metrics : callable
        Takes metrics and a step.
    n_parts : int
        Pieces a step is cut into from the start; their gradients add up to the whole step's. Out
        of memory doubles it.
    watch_memory : bool
        Measure what the first step, which is the largest, takes.
    shared_layers : bool
        Ranks hold the frozen layers in parts, which each forward puts together: they must run
        equally many, in the same order.
    """

    def __init__(
        self,
        network: TeacherNetwork,
        histories: Sequences,
        settings: TrainingSettings,
        validate: Callable[[Recommender], Mapping[str, float]],
        log_metrics: Callable[[Mapping[str, float], int], None],
        *,
        catalog_digest: str,
        seed: int,
        n_parts: int = 1,
        watch_memory: bool = False,
        shared_layers: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.strict_loading = False
        self.network = network
        self.settings = settings
        self.catalog_digest = catalog_digest
        self.seed = seed
        self.progress = Progress(n_parts=n_parts)
        self.measured_bytes = 0
        self._n_parts, self._watch_memory = n_parts, watch_memory
        self._shared_layers = shared_layers
        self._backward = BackwardInPieces(
            network, seed, self.manual_backward, shared_layers=shared_layers
        )
        self._histories = histories
        self._windows = training_windows(histories, network.max_length, settings.windows)
        self._n_tokens = network.count_tokens(window_histories(histories, self._windows))
        self._validate = validate
        self._log = log_metrics
        self._meter = Meter(settings.report_seconds)
        self._epoch = -1
        if not len(self._windows):
            raise UserError(
                "No user has two training interactions, so there is nothing to learn from: lower "
                "min_interactions or use more data."
            )

    # ------------------------------------------------------------------ data

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches of windows within the token budget, drawn from seed and epoch alone."""
        sampler = TokenSampler(
            self._n_tokens, self.settings.batch, self.seed, lambda: self.current_epoch
        )
        dataset = WindowBatches(self._histories, self._windows)
        n_targets = self._windows.n_targets
        return shared_out(
            DataLoader(dataset, sampler=sampler, batch_size=None), count=lambda i: n_targets[i]
        )

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, _index: int) -> Batch:
        """Move a batch; Lightning does not know the type."""
        return batch.to(device)

    # ------------------------------------------------------------------ optimisation

    def configure_optimizers(self) -> Any:
        """AdamW over adapter, router and head with their own rates, one schedule."""
        rates = self.settings.optimizer
        groups = parameter_groups(self.network, rates)
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        n_steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, warmup_cosine(n_steps, rates.warmup)
        )
        return [optimizer], [schedule]

    def on_train_start(self) -> None:
        """Stop at once where a resumed training had stopped."""
        if self.progress.stalled:
            self.trainer.should_stop = True

    def _begin_epoch(self) -> None:
        """Switch dropout on, which Lightning leaves as it finds it, and start the clock."""
        # Called from the step: Lightning leaves out its epoch-start hooks when it resumes.
        self._epoch = self.current_epoch
        self.network.train()
        self._meter.begin_epoch()

    def training_step(self, batch: Batch, _index: int) -> None:
        """One optimiser step; the very first, which is the largest, may be watched."""
        if self.current_epoch != self._epoch:
            self._begin_epoch()
        if self._watch_memory and self.progress.step == 0:
            self.measured_bytes = watch_step(self.network, partial(self._step, batch))
        else:
            self._step(batch)

    def _step(self, batch: Batch) -> None:
        """Step in as many pieces as the memory asks for."""
        optimizer: Any = self.optimizers()
        loss, n_tokens, n_positions = self._backward(batch, self.progress, optimizer)
        self.progress.step += 1
        self._check_learning()
        optimizer.step()
        schedule: Any = self.lr_schedulers()
        schedule.step()
        self.progress.update_average(self.network.trainable(), self.settings.ema)
        if self._meter.add(loss, int(n_tokens), int(n_positions)):
            figures = self._meter.take(self.device)
            self._log(figures, self.progress.step)
            shown = " ".join(f"{k.removeprefix('train/')} {v:.4g}" for k, v in figures.items())
            _logger.info("epoch %d step %d: %s", self.current_epoch + 1, self.progress.step, shown)

    def _check_learning(self) -> None:
        """See ``require_gradients``: once at the first backward, once after B has left zero."""
        if self.progress.step == 1:
            require_gradients(self.network, 1)
        elif not self.progress.checked and self.network.adapter_moved():
            require_gradients(self.network, 2)
            self.progress.checked = True

    def on_before_optimizer_step(self, _optimizer: Any) -> None:
        """Check and clip, after the loss scaler (if any) has undone its scale."""
        if self.trainer.precision != "16-mixed":  # there the scaler skips such a step itself
            require_finite_gradients(self.network, self.progress.step)
        parameters = self.network.trainable().values()
        torch.nn.utils.clip_grad_norm_(parameters, self.settings.optimizer.clip)

    # ------------------------------------------------------------------ selection

    def on_train_epoch_end(self) -> None:
        """Validate the averaged weights and keep the best."""
        figures = self._meter.take(self.device) if self._meter.n_steps else {}
        figures["train/loss"] = self._meter.epoch_loss()
        self._log(figures, self.progress.step)
        progress, trainable = self.progress, self.network.trainable()
        live = {name: p.detach().clone() for name, p in trainable.items()}
        candidate = progress.average or live
        put(candidate, trainable)
        # Where training is cut into pieces memory is short, so scoring takes small portions too.
        n_tokens = self.settings.batch // progress.n_parts if progress.n_parts > 1 else 0
        scorer = TeacherRecommender(self.network, self.catalog_digest, n_tokens=n_tokens)
        metrics = dict(self._validate(scorer if self._shared_layers else SharedScores(scorer)))
        ndcg = metrics["ndcg_at_10"]
        progress.keep_if_best(self.current_epoch, ndcg, candidate)
        put(live, trainable)
        self._log({f"val/{k}": v for k, v in metrics.items()}, progress.step)
        _logger.info(
            "epoch %d: val ndcg@10 %.4f, recall@10 %.4f%s",
            self.current_epoch + 1,
            ndcg,
            metrics.get("recall_at_10", float("nan")),
            " (best)" if progress.best_epoch == self.current_epoch else "",
        )
        progress.stalled = self.current_epoch - progress.best_epoch >= self.settings.patience
        if progress.stalled:
            self.trainer.should_stop = True

    def restore_best(self) -> None:
        """Give the network the weights of the best epoch."""
        put(self.progress.best, self.network.trainable())

    # ------------------------------------------------------------------ resume

    @property
    def signature(self) -> str:
        """Say what is being trained, without what may change on another machine."""
        facts = asdict(self.settings) | {"seed": self.seed, "catalog": self.catalog_digest}
        facts |= {f"network.{k}": v for k, v in asdict(self.network.settings).items()}
        facts["n_windows"] = len(self._windows)
        machines = ("report_seconds", "precision", "checkpointing")
        return signature_lines({k: v for k, v in facts.items() if k not in machines})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what learns; the frozen language model is loaded again from its own files."""
        kept = {f"network.{name}" for name in self.network.trainable()}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {name: t for name, t in state.items() if name in kept}
        checkpoint["progress"] = vars(self.progress).copy()
        checkpoint["signature"] = self.signature

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on where the checkpoint was written."""
        self.progress = Progress(**checkpoint["progress"])
        # There may be less memory now than there was.
        self.progress.n_parts = max(self.progress.n_parts, self._n_parts)
