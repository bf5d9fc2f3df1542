"""Whether a teacher's training fits, and in how many pieces per step, before it is loaded.

``train_teacher`` counts ``batch`` in padded tokens per optimizer step. The sampler turns that into
batches of some rows by some length: long histories few rows, short ones many. Planner and probe
count in rows and tokens of the longest row, so here every batch the sampler will draw becomes such
a pair, and the step is cut until the largest piece fits.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch

from projects._teacher_step import teacher_step
from recdistill.memory import (
    DoesNotFitError,
    OutOfMemoryError,
    cut_to_fit,
    decoder_config,
    decoder_depth,
    decoder_step,
    free_bytes,
    free_host_bytes,
    in_flags,
    known_shapes,
    probe,
)
from recdistill.teachers import (
    ItemTokens,
    batch_shapes,
    load_tokenizer,
    locate_llm,
    prompt_lengths,
    training_windows,
    window_histories,
)

if TYPE_CHECKING:
    from projects.train_teacher import Config
    from recdistill.data import PreparedData
    from recdistill.memory import Cut, MemorySettings
    from recdistill.runs import Run
    from recdistill.students import StudentRecommender
    from recdistill.teachers import GenerateSettings, TeacherSettings, TrainingSettings

MB = 1e6


@dataclass(frozen=True)
class MemoryLimits:
    """How much memory a training may take, and when to measure before it starts."""

    limit_mb: float = 0.0
    probe: Literal["auto", "always", "never"] = "auto"


@dataclass(frozen=True)
class PlannedTraining:
    """The loop's settings with what the memory asks for, and the peak to expect (0: no plan)."""

    training: TrainingSettings
    generate: GenerateSettings
    peak_bytes: int = 0

    def against(self, measured_bytes: int) -> dict[str, float]:
        """Figures for the run: what was measured, and how wrong the plan was."""
        if not measured_bytes:
            return {}
        found = {"memory/measured_peak_mb": measured_bytes / MB}
        if self.peak_bytes:
            found["memory/plan_error"] = self.peak_bytes / measured_bytes - 1.0
        return found


def plan_training(
    config: Config,
    settings: TeacherSettings,
    run: Run,
    baseline: StudentRecommender,
    data: PreparedData,
) -> PlannedTraining:
    """Plan, measure where the plan alone cannot tell, and cut the step until it fits.

    Raises
    ------
    DoesNotFitError
        When not even one row fits; the plan's table is printed and logged before.
    """
    training = replace(config.training_settings(), watch_memory=True)
    if config.adapter == "head":  # no language model: a few megabytes
        return PlannedTraining(training, config.generate)
    on_gpu = torch.cuda.is_available()
    memory = config.memory_settings(
        "cuda" if on_gpu else "cpu",
        n_items=data.catalog.n_items,
        item_dim=baseline.model.dim,
        copies=copies(config, on_gpu=on_gpu),
    )
    if config.llm not in known_shapes():
        memory = memory.but(llm=str(locate_llm(config.llm)))
    budget = int(config.memory.limit_mb * MB) or (free_bytes() if on_gpu else free_host_bytes())
    shapes = every_batch(config, settings, data)
    run.log_metrics({"memory/budget_mb": budget / MB})
    ask = config.memory.probe
    try:
        cut = cut_to_fit(
            memory,
            shapes,
            budget,
            measure=None if ask == "never" else measure,
            always_measure=ask == "always" or (ask == "auto" and on_gpu),
            nearest=nearest(config, settings, memory.but(length=max(n for _, n in shapes))),
        )
    except DoesNotFitError as refused:
        print(refused.plan.table())
        run.log_metrics(refused.plan.metrics())
        run.log_text(refused.plan.table() + "\n", "memory/plan.md")
        raise
    report(run, cut, budget)
    if config.mode == "generate":
        rows = -(-config.generate.micro_batch // cut.n_pieces)
        how = replace(config.generate, micro_batch=rows)
        return PlannedTraining(training, how, cut.plan.peak_bytes)
    training = replace(training, n_parts=cut.n_pieces)
    return PlannedTraining(training, config.generate, cut.plan.peak_bytes)


def report(run: Run, cut: Cut, budget: int) -> None:
    """Say and log what was planned, measured and cut."""
    piece = cut.plan.settings
    words = (
        f"Memory: {cut.plan.total_bytes / MB:,.0f} MB planned for {piece.batch} rows of "
        f"{piece.length} tokens, {budget / MB:,.0f} MB free"
    )
    figures: dict[str, float] = {
        "memory/planned_rows": piece.batch,
        "memory/planned_length": piece.length,
        "memory/planned_pieces": cut.n_pieces,
    }
    if cut.measured_bytes:
        words += f", {cut.measured_bytes / MB:,.0f} MB measured by the probe"
        figures["memory/probed_peak_mb"] = cut.measured_bytes / MB
    if cut.n_pieces > 1:
        words += f"; a step is cut into {cut.n_pieces} pieces"
    print(f"{words}.", flush=True)
    run.log_text(f"{words}.\n\n{cut.plan.table()}\n", "memory/plan.md")
    run.log_metrics(cut.plan.metrics() | figures)


def copies(config: Config, *, on_gpu: bool) -> int:
    """Count what stays of the trainable weights: their average, and in main memory the best."""
    if config.mode == "generate":
        return 0
    return int(config.ema > 0) + int(not on_gpu)


def every_batch(
    config: Config, settings: TeacherSettings, data: PreparedData
) -> list[tuple[int, int]]:
    """Rows and tokens of the longest row of every batch that training will see."""
    tokenizer = load_tokenizer(config.llm)
    if config.mode == "rank":
        windows = training_windows(data.train, settings.max_length, config.windows)
        histories = window_histories(data.train, windows)
        n_tokens = prompt_lengths(histories, data.catalog, tokenizer, settings)
        return batch_shapes(n_tokens, config.batch) or [(1, 1)]
    titles = ItemTokens.from_texts(
        data.catalog.items["title"].tolist(), tokenizer, settings.max_title_tokens
    ).lengths[1:]
    n_titles = config.generate.n_history + config.generate.n_candidates
    # Title, slot and comma of each; four deviations above the mean, and the words around them.
    spread = 4 * float(titles.float().std()) * n_titles**0.5
    length = n_titles * (float(titles.float().mean()) + 2) + spread + 40
    return [(config.generate.micro_batch, int(length))]


def measure(settings: MemorySettings) -> int:
    """Run one step in a process of its own and return what must be free for it, in bytes."""
    build = teacher_step if settings.mode == "rank" else decoder_step
    try:
        probed = probe(settings, build, batches=[settings.batch])
    except OutOfMemoryError:
        return sys.maxsize
    return probed.measurements[-1].needed_bytes + probed.plans[-1].context_bytes


def nearest(
    config: Config, settings: TeacherSettings, memory: MemorySettings
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


def halves(value: int, least: int) -> list[int]:
    """Half of a number, half of that, and so on while at least ``least``."""
    found = []
    while (value := value // 2) >= least:
        found.append(value)
    return found
