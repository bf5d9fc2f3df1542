"""Training in ``generate`` mode: prompts drawn from all targets, for a number of steps."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.teachers._candidates import Choices, draw_candidates
from recdistill.teachers._checks import explain_nonfinite
from recdistill.teachers._schedule import parameter_groups, warmup_cosine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from recdistill.data import Cases, PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.teachers._generative import GenerativeTeacher
    from recdistill.teachers._settings import GenerateSettings
    from recdistill.teachers._training_settings import TrainingSettings

_logger = logging.getLogger(__name__)
# The authors drop rows with a shorter history.
_SHORTEST = 3


def fit_generative(
    teacher: GenerativeTeacher,
    data: PreparedData,
    settings: GenerateSettings,
    training: TrainingSettings,
    *,
    log: Callable[[Mapping[str, float], int], None],
    seed: int = 0,
) -> None:
    """Train adapter, router and projector to write the next item's title.

    Every step draws targets with at least three items before them, and new candidates for each,
    from seed and step alone.

    Raises
    ------
    UserError
        When no target has that much history, or the loss stops being finite.
    """
    network = teacher.network
    users, positions = _targets(data.train)
    rates = training.optimizer
    groups = parameter_groups(network, rates)
    optimizer = torch.optim.AdamW(groups)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, warmup_cosine(settings.n_steps, rates.warmup)
    )
    network.train()
    parameters = list(network.trainable().values())
    reported = time.perf_counter()
    for step in range(1, settings.n_steps + 1):
        generator = np.random.default_rng((seed, step))
        torch.manual_seed(seed * 1_000_003 + step)
        drawn = generator.integers(0, len(users), settings.n_prompts)
        histories, targets = _rows(data.train, users[drawn], positions[drawn], settings.n_history)
        candidates = draw_candidates(
            histories,
            targets,
            data.catalog.n_items,
            n_candidates=settings.n_candidates,
            seed=int(generator.integers(2**31)),
        )
        optimizer.zero_grad()
        total = 0.0
        n_parts = -(-settings.n_prompts // settings.micro_batch)
        for part in np.array_split(np.arange(settings.n_prompts), n_parts):
            prompts = teacher.write(histories.take(part), candidates[part], targets[part])
            with network.held_gate():
                loss = teacher.loss(prompts) * (len(part) / settings.n_prompts)
                if not torch.isfinite(loss):
                    raise explain_nonfinite(network, partial(teacher.loss, prompts), step)
                loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(parameters, rates.clip)
        optimizer.step()
        schedule.step()
        if time.perf_counter() - reported > training.report_seconds or step == settings.n_steps:
            reported = time.perf_counter()
            log({"train/loss": total}, step)
            _logger.info("step %d of %d: loss %.4f", step, settings.n_steps, total)
    network.eval()


def choose_by_scores(model: Recommender, cases: Cases, candidates: NDArray[np.int32]) -> Choices:
    """Let any recommender pick among the same candidates: its best-scored one."""
    scores = model.score(cases.history).cpu()
    best = scores.gather(1, torch.from_numpy(candidates).long()).argmax(1).numpy()
    return Choices(candidates[np.arange(len(candidates)), best], cases.targets)


def _targets(train: Sequences) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    counts = np.maximum(train.lengths - _SHORTEST, 0)
    users = np.repeat(np.arange(len(counts)), counts)
    positions = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts) + _SHORTEST
    if not len(users):
        raise UserError(
            f"No training target has {_SHORTEST} items before it, which is what generate mode "
            "learns from: use more data."
        )
    return users, positions


def _rows(
    train: Sequences, users: NDArray[np.int64], positions: NDArray[np.int64], n_history: int
) -> tuple[Sequences, NDArray[np.int32]]:
    rows = [
        train.row(user)[max(position - n_history, 0) : position]
        for user, position in zip(users, positions, strict=True)
    ]
    targets = train.items[train.offsets[users] + positions]
    return Sequences.from_lists(row.tolist() for row in rows), targets
