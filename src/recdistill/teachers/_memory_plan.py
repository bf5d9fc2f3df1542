"""Whether a teacher's training fits, and in how many pieces per step, before it is loaded.

``train_teacher`` counts ``batch`` in padded tokens per optimizer step. The sampler turns that into
batches of some rows by some length: long histories few rows, short ones many. Planner and probe
count in rows and tokens of the longest row, so here every batch the sampler will draw becomes such
a pair, and the step is cut until the largest piece fits.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from recdistill.memory import (
    OutOfMemoryError,
    cut_to_fit,
    decoder_config,
    decoder_depth,
    decoder_step,
    halves,
    in_flags,
    known_shapes,
    plan,
    probe,
)
from recdistill.ranks import Devices
from recdistill.teachers._llm import load_tokenizer, locate_llm
from recdistill.teachers._memory_step import teacher_step
from recdistill.teachers._prompt import ItemTokens, prompt_lengths
from recdistill.teachers._token_batches import batch_shapes
from recdistill.teachers._windows import training_windows, window_histories

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.memory import Cut, MemorySettings
    from recdistill.teachers._config import TeacherConfig
    from recdistill.teachers._memory_limits import MemoryLimits
    from recdistill.teachers._settings import GenerateSettings, TeacherSettings
    from recdistill.teachers._training_settings import TrainingSettings


_MB = 1e6


@dataclass(frozen=True)
class PlannedTraining:
    """In how many pieces each step runs, and the peak to expect.

    Attributes
    ----------
    generate : GenerateSettings
        As asked for, with the ``micro_batch`` that fits.
    n_parts : int
        Pieces of a step in ``rank`` mode.
    cut : Cut, optional
        What was planned and measured; None without a language model, which takes a few megabytes.
    budget_bytes : int
    """

    generate: GenerateSettings
    n_parts: int = 1
    cut: Cut | None = None
    budget_bytes: int = 0

    def metrics(self) -> dict[str, float]:
        """Figures to log before the training starts; one MB is 10^6 bytes."""
        if self.cut is None:
            return {}
        piece = self.cut.plan.settings
        figures: dict[str, float] = {
            "memory/budget_mb": self.budget_bytes / _MB,
            "memory/planned_rows": piece.batch,
            "memory/planned_length": piece.length,
            "memory/planned_pieces": self.cut.n_pieces,
        }
        if self.cut.measured_bytes:
            figures["memory/probed_peak_mb"] = self.cut.measured_bytes / _MB
        return self.cut.plan.metrics() | figures

    def sentence(self) -> str:
        """Say what was planned, measured and cut; empty where nothing was planned."""
        if self.cut is None:
            return ""
        piece = self.cut.plan.settings
        words = (
            f"Memory: {self.cut.plan.total_bytes / _MB:,.0f} MB planned for {piece.batch} rows of "
            f"{piece.length} tokens, {self.budget_bytes / _MB:,.0f} MB free"
        )
        if self.cut.measured_bytes:
            words += f", {self.cut.measured_bytes / _MB:,.0f} MB measured by the probe"
        if self.cut.n_pieces > 1:
            words += f"; a step is cut into {self.cut.n_pieces} pieces"
        return f"{words}."

    def measured_metrics(self, measured_bytes: int) -> dict[str, float]:
        """Figures to log after it: what was measured (0: nothing), and how wrong the plan was."""
        if not measured_bytes:
            return {}
        found = {"memory/measured_peak_mb": measured_bytes / _MB}
        if self.cut is not None:
            found["memory/plan_error"] = self.cut.plan.peak_bytes / measured_bytes - 1.0
        return found


def plan_training(
    config: TeacherConfig,
    settings: TeacherSettings,
    training: TrainingSettings,
    generate: GenerateSettings,
    limits: MemoryLimits,
    data: PreparedData,
    *,
    item_dim: int,
    devices: Devices | None = None,
) -> PlannedTraining:
    """Plan, measure where the plan alone cannot tell, and cut the step until it fits.

    Parameters
    ----------
    item_dim : int
        Width of the baseline's item vectors.
    devices : Devices, optional
        Planned is what each of them takes: its share of the rows and, under ``fsdp``, of the frozen
        language model. No probe sees the latter, so there the plan alone decides.

    Raises
    ------
    DoesNotFitError
        When not even one row fits; carries the plan.
    """
    if config.adapter == "head":
        return PlannedTraining(generate)
    on_gpu = torch.cuda.is_available()
    memory = config.memory_settings(
        "cuda" if on_gpu else "cpu",
        n_items=data.catalog.n_items,
        item_dim=item_dim,
        copies=_copies(settings, training, on_gpu=on_gpu),
    )
    if config.llm not in known_shapes():
        memory = memory.but(llm=str(locate_llm(config.llm)))
    devices = devices or Devices()
    budget = limits.budget_bytes()
    shapes = [
        (-(-rows // devices.n_ranks), length)
        for rows, length in _batch_shapes(config, settings, training, generate, data)
    ]
    if devices.strategy == "fsdp":
        frozen = plan(memory.but(batch=1, length=8)).causes.get("weights", 0)
        budget += frozen - frozen // devices.n_ranks
    longest = memory.but(length=max(length for _, length in shapes))
    cut = cut_to_fit(
        memory,
        shapes,
        budget,
        measure=None if limits.probe == "never" or devices.strategy == "fsdp" else _measure,
        always_measure=limits.probe == "always" or (limits.probe == "auto" and on_gpu),
        nearest=_nearest(config, settings, longest),
    )
    if config.mode == "generate":
        rows = -(-generate.micro_batch // cut.n_pieces)
        return PlannedTraining(replace(generate, micro_batch=rows), 1, cut, budget)
    return PlannedTraining(generate, cut.n_pieces, cut, budget)


def _copies(settings: TeacherSettings, training: TrainingSettings, *, on_gpu: bool) -> int:
    """Count what stays of the trainable weights: their average, and in main memory the best."""
    if settings.mode == "generate":
        return 0
    return int(training.ema > 0) + int(not on_gpu)


def _batch_shapes(
    config: TeacherConfig,
    settings: TeacherSettings,
    training: TrainingSettings,
    generate: GenerateSettings,
    data: PreparedData,
) -> list[tuple[int, int]]:
    """Rows and tokens of the longest row of every batch that training will see."""
    tokenizer = load_tokenizer(config.llm)
    if settings.mode == "rank":
        windows = training_windows(data.train, settings.max_length, training.windows)
        histories = window_histories(data.train, windows)
        n_tokens = prompt_lengths(histories, data.catalog, tokenizer, settings)
        return batch_shapes(n_tokens, training.batch) or [(1, 1)]
    titles = ItemTokens.from_texts(
        data.catalog.items["title"].tolist(), tokenizer, settings.text.max_title_tokens
    ).lengths[1:]
    n_titles = generate.n_history + generate.n_candidates
    # Title, slot and comma of each; four deviations above the mean, and the words around them.
    spread = 4 * float(titles.float().std()) * n_titles**0.5
    length = n_titles * (float(titles.float().mean()) + 2) + spread + 40
    return [(generate.micro_batch, int(length))]


def _measure(settings: MemorySettings) -> int:
    """Run one step in a process of its own and return what must be free for it, in bytes."""
    build = teacher_step if settings.mode == "rank" else decoder_step
    try:
        probed = probe(settings, build, batches=[settings.batch])
    except OutOfMemoryError:
        return sys.maxsize
    return probed.measurements[-1].needed_bytes + probed.plans[-1].context_bytes


def _nearest(
    config: TeacherConfig, settings: TeacherSettings, memory: MemorySettings
) -> list[tuple[str, MemorySettings]]:
    """List what to recommend where one row does not fit, the mildest first, as flags."""
    longest, items = memory.length, settings.max_length
    depth = decoder_depth(decoder_config(memory.llm, memory.llm_layers))
    base: dict[str, Any] = {} if config.checkpointing else {"checkpointing": True}
    tries = [(in_flags(base), memory.but(**base))] if base else []
    for n in halves(items, 10):
        words = in_flags(base | {"max_length": n})
        tries.append((words, memory.but(**base, length=-(-longest * n // items))))
    if config.prompt == "hybrid":
        compact = memory.but(**base, prompt="compact", length=min(longest, items + 12))
        tries.append((in_flags(base | {"prompt": "compact"}), compact))
    shallow = [base | {"llm_layers": n} for n in halves(depth, 1)]
    return tries + [(in_flags(change), memory.but(**change)) for change in shallow]
