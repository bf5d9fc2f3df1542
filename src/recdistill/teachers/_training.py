"""The training of a teacher: memory back-off, checks, averaging, resume."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import LightningModule
from torch.utils.data import DataLoader

from recdistill.errors import UserError
from recdistill.memory import watch_step
from recdistill.ranks import SharedScores, current
from recdistill.teachers._checks import (
    explain_nonfinite,
    require_finite_gradients,
    require_gradients,
)
from recdistill.teachers._meter import Meter
from recdistill.teachers._progress import Progress, put
from recdistill.teachers._recommender import TeacherRecommender
from recdistill.teachers._schedule import parameter_groups, warmup_cosine
from recdistill.teachers._token_batches import TokenSampler
from recdistill.teachers._windows import Batch, WindowBatches, training_windows, window_histories
from recdistill.training import shared_out, signature_lines, weighted_logsumexp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recdistill.data import Sequences
    from recdistill.evaluation import Recommender
    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._training_settings import TrainingSettings

_logger = logging.getLogger(__name__)


class TeacherModule(LightningModule):
    """Full-catalog softmax at every supervised position, optimised by hand within a step.

    Optimisation is manual because a step must be able to start over in smaller pieces: when the
    memory runs out, the micro-batch halves, the number of accumulated pieces doubles, and the same
    step is repeated with the same windows.

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
        loss, n_tokens, n_positions = self._backward_in_pieces(batch, optimizer)
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

    def _backward_in_pieces(self, batch: Batch, optimizer: Any) -> tuple[float, float, float]:
        """Leave the step's gradients; return its mean loss, its tokens and its positions."""
        group = current()
        while True:
            optimizer.zero_grad()
            # Dropout depends on seed and step alone, so a resumed or repeated step draws the same.
            own = group.seed if group else 0
            torch.manual_seed(self.seed * 1_000_003 + self.progress.step + own)
            message, loss = self._tried(batch)
            figures = [loss, *self._counted(batch)]
            n_failed = float(bool(message))
            if group:  # where one rank must start over, all do
                n_failed, *figures = group.sums([n_failed, *figures])
                figures[0] /= group.place.size
            if not n_failed:
                if group:
                    group.average(self.network.trainable().values())
                return figures[0], figures[1], figures[2]
            self._cut_further(batch, message)

    def _tried(self, batch: Batch) -> tuple[str, float]:
        """Run the backward; return what memory ran out of, if it did, and the loss."""
        try:
            return "", self._backward(batch)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _out_of_memory(error):
                raise
            message = str(error).splitlines()[0]
            if self._shared_layers:  # the others wait within this forward, not after it
                raise UserError(
                    f"A piece of a step does not fit the memory ({message}), and with "
                    "strategy=fsdp a step cannot start over: set checkpointing=true, or lower "
                    "batch, max_length or llm_layers."
                ) from error
            return message, 0.0

    def _counted(self, batch: Batch) -> tuple[int, int]:
        """Count the tokens and the targets of a batch; of one that stands in for none, none."""
        if not batch.share:
            return 0, 0
        return self.network.count_tokens_of(batch.items), int((batch.targets > 0).sum())

    def _cut_further(self, batch: Batch, message: str) -> None:
        """Double the pieces of a step; ``message`` is empty where another rank asks for it."""
        if message and self.progress.n_parts >= len(batch):
            raise UserError(
                f"A single window of {batch.items.shape[1]} items does not fit the memory "
                f"({message}): set checkpointing=true, lower max_length or llm_layers, or use "
                "prompt=compact."
            )
        self.progress.n_parts *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        _logger.warning(
            "out of memory at step %d: the step starts over in %d pieces",
            self.progress.step + 1,
            self.progress.n_parts,
        )

    def _backward(self, batch: Batch) -> float:
        """Accumulate the gradient of the mean loss over the whole batch, piece by piece."""
        n_targets = int((batch.targets > 0).sum())
        total = 0.0
        for piece in self._pieces(batch):
            with self.network.held_gate():
                loss = self.loss(piece, n_targets) * piece.share
                if not torch.isfinite(loss):
                    raise self._not_finite(piece, n_targets)
                self.manual_backward(loss)
            total += float(loss.detach())
        return total

    def _not_finite(self, piece: Batch, n_targets: int) -> UserError:
        step = self.progress.step + 1
        if self._shared_layers:  # looking for it takes forwards that the others do not make
            return UserError(f"The loss of step {step} is not finite: strategy=ddp says where.")
        return explain_nonfinite(self.network, partial(self.loss, piece, n_targets), step)

    def _pieces(self, batch: Batch) -> list[Batch]:
        """Cut a step; a rank with fewer pieces than others may have to fill up for nothing."""
        pieces = batch.split(self.progress.n_parts)
        group = current()
        if group and self._shared_layers:
            most = max(int(n) for (n,) in group.by_rank([len(pieces)]))
            pieces += [replace(pieces[0], share=0.0)] * (most - len(pieces))
        return pieces

    def loss(self, batch: Batch, n_targets: int) -> torch.Tensor:
        """Sum of cross-entropies over the batch's targets, divided by ``n_targets``."""
        states = self.network.encode(batch.items)  # [batch, length + 1, dim]
        window, step = batch.targets.nonzero(as_tuple=True)
        targets = batch.targets[window, step] - 1
        with torch.autocast(self.device.type, enabled=False):
            picked = states[window, step].float()  # [n, dim]
            table = self.network.item_table()[1:].float()  # [n_items, dim]
            weights = picked.new_full((len(targets),), 1 / n_targets)
            hits = (picked * table[targets]).sum()
            return weighted_logsumexp(picked, table, weights) - hits / n_targets

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


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "not enough memory" in str(error)
