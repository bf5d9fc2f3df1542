"""From plans to decisions: what fits, what a knob buys, which micro-batch to take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError
from recdistill.memory._plan import GIB, MemoryPlan, plan
from recdistill.memory._step import StepBuilder, decoder_step

if TYPE_CHECKING:
    from recdistill.memory._settings import MemorySettings

PlanFunction = Callable[["MemorySettings"], MemoryPlan]


@dataclass(frozen=True)
class Saving:
    """One change of the settings and what it buys.

    Attributes
    ----------
    change : str
        In the words of the flags: ``checkpointing=true``.
    cost : str
        What it costs beside memory.
    saved_bytes : int
        Total bytes saved; negative when the change needs more.
    plan : MemoryPlan
        With the change.
    """

    change: str
    cost: str
    saved_bytes: int
    plan: MemoryPlan


# From the change that costs nothing to the one that costs most; a later one also changes results.
_CHANGES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"vocabulary_logits": False}, "nothing: nobody reads these logits"),
    ({"gating": "rank"}, "nothing: the same mixture, multiplied in another order"),
    ({"scoring": "chunked"}, "nothing: the same loss, a chunk of scores at a time"),
    ({"attention": "sdpa"}, "nothing: the same attention, faster"),
    ({"resize_vocabulary": "frozen"}, "nothing, unless new tokens are to be learned"),
    ({"batch": 0.5}, "half the micro-batch, twice the accumulation: slower below saturation"),
    ({"checkpointing": True}, "about a third more time: every layer runs forward twice"),
    ({"precision": "bf16"}, "rounding of the frozen base; faster on tensor cores"),
    ({"lora_dropout": 0.0}, "no regularisation of the adapters' inputs"),
    ({"target_modules": "q_proj,v_proj"}, "adapters on two of seven matrices"),
    ({"length": 0.5}, "half of every history is not read"),
    ({"lora_r": 0.5}, "half the adapters' rank"),
    ({"quant": "nf4"}, "4-bit base: slower products, some accuracy"),
)


def largest(
    settings: MemorySettings,
    name: str,
    budget_bytes: int,
    build: StepBuilder = decoder_step,
    limit: int = 65_536,
) -> int:
    """Largest ``batch`` or ``length`` whose plan fits a budget; 0 when not even 1 does.

    Parameters
    ----------
    name : {"batch", "length"}
    budget_bytes : int
        Free memory of the device.
    limit : int
        Never answer more than this.
    """
    planned: dict[int, int] = {}

    def total(value: int) -> int:
        if value not in planned:
            planned[value] = plan(settings.but(**{name: value}), build).total_bytes
        return planned[value]

    fits, fails = 0, limit + 1
    guess = min(int(getattr(settings, name)), limit)
    while fails - fits > 1:
        if total(guess) <= budget_bytes:
            fits = guess
        else:
            fails = guess
        guess = _next_guess(planned, budget_bytes, fits, fails)
    return fits


def _next_guess(planned: dict[int, int], budget: int, fits: int, fails: int) -> int:
    """Where the straight line through the two nearest plans meets the budget, inside the gap."""
    near = sorted(planned, key=lambda value: abs(planned[value] - budget))[:2]
    if len(near) < 2:
        return max(fits + 1, min(fails - 1, near[0] * 2 if fits else near[0] // 2))
    (a, b) = sorted(near)
    slope = (planned[b] - planned[a]) / (b - a)
    guess = int(a + (budget - planned[a]) / slope) if slope > 0 else (fits + fails) // 2
    return max(fits + 1, min(fails - 1, guess))


def savings(
    settings: MemorySettings,
    build: StepBuilder = decoder_step,
    before: MemoryPlan | None = None,
) -> list[Saving]:
    """Plan every change that applies and order by cost, the cheapest first."""
    before = before or plan(settings, build)
    found = []
    for change, cost in _CHANGES:
        (name, value), *_ = change.items()
        current = getattr(settings, name)
        new = max(1, int(current * value)) if isinstance(value, float) and value else value
        if new == current or not _applies(settings, name, new):
            continue
        try:
            after = plan(settings.but(**{name: new}), build)
        except UserError:  # this decoder calls its layers otherwise, or the rank cannot be split
            continue
        words = f"{name}={str(new).lower() if isinstance(new, bool) else new}"
        found.append(Saving(words, cost, before.total_bytes - after.total_bytes, after))
    return found


def _applies(settings: MemorySettings, name: str, new: Any) -> bool:
    if name == "resize_vocabulary":
        return settings.resize_vocabulary == "trainable"
    if name == "precision":
        return settings.precision == "fp32"
    if name in ("target_modules", "lora_r", "lora_dropout"):
        return settings.adapter != "none"
    if name == "gating":
        return settings.adapter == "ilora"
    if name == "quant":
        trained = settings.adapter == "none" and settings.weights == "random"
        return settings.device == "cuda" and not trained
    return True


def savings_table(found: list[Saving]) -> str:
    """Render what each change buys, and the cheapest for a few amounts, as Markdown."""
    lines = ["| change | saves GiB | then GiB | costs |", "|---|---:|---:|---|"]
    lines += [
        f"| `{s.change}` | {s.saved_bytes / GIB:.2f} | {s.plan.total_bytes / GIB:.2f} | {s.cost} |"
        for s in found
    ]
    answers = []
    for amount in (0.5, 1, 2, 4, 8, 16, 32):
        enough = next((s for s in found if s.saved_bytes >= amount * GIB), None)
        if enough:
            answers.append(f"- To save {amount:g} GiB the cheapest change is `{enough.change}`.")
    return "\n".join([*lines, "", *answers])


def choose_micro_batch(
    plan_function: PlanFunction, settings: MemorySettings, effective_batch: int, budget_bytes: int
) -> tuple[int, int]:
    """Split an effective batch into the largest micro-batch that fits and its accumulation.

    Parameters
    ----------
    plan_function : callable
        ``plan``, or a partial of it with the builder of the real step.
    effective_batch : int
        Rows per optimizer step; the micro-batch divides it, so every step sees as many.
    budget_bytes : int

    Returns
    -------
    (micro_batch, accumulation)

    Raises
    ------
    UserError
        When not even one row fits; the sentence names the nearest setting that does.
    """
    divisors = [n for n in range(1, effective_batch + 1) if effective_batch % n == 0]
    low, high = 0, len(divisors)  # divisors[:low] fit, divisors[high:] do not
    while low < high:
        middle = (low + high) // 2
        if plan_function(settings.but(batch=divisors[middle])).total_bytes <= budget_bytes:
            low = middle + 1
        else:
            high = middle
    if low == 0:
        single = settings.but(batch=1)
        raise UserError(refusal(plan_function(single), budget_bytes, plan_function))
    micro = divisors[low - 1]
    return micro, effective_batch // micro


def refusal(refused: MemoryPlan, budget_bytes: int, plan_function: PlanFunction = plan) -> str:
    """One sentence: what it would need, what there is, and the nearest setting that fits."""
    settings = refused.settings
    need = (
        f"{settings.llm} at batch={settings.batch}, length={settings.length} needs "
        f"{refused.total_bytes / GIB:.2f} GiB but {budget_bytes / GIB:.2f} GiB are free"
    )
    for change in _nearest(settings):
        try:
            fits = plan_function(settings.but(**change)).total_bytes <= budget_bytes
        except UserError:
            continue
        if fits:
            words = ", ".join(f"{k}={str(v).lower()}" for k, v in change.items())
            return f"{need}: the nearest setting that fits is {words}."
    return f"{need}: no batch, length, checkpointing or 4-bit base makes it fit; use a smaller llm."


def _nearest(settings: MemorySettings) -> list[dict[str, Any]]:
    """List changes from the mildest: smaller micro-batches, recomputation, less input."""
    batches = [b for b in _halves(settings.batch) if b < settings.batch]
    checkpointed = [{"checkpointing": True}] if not settings.checkpointing else []
    steps: list[dict[str, Any]] = [{"batch": b} for b in batches]
    steps += [c | {"batch": b} for c in checkpointed for b in [settings.batch, *batches]]
    floor: dict[str, Any] = {"checkpointing": True, "batch": 1}
    steps += [floor | {"length": n} for n in _halves(settings.length) if n >= 32]
    if settings.device == "cuda" and settings.adapter != "none":
        steps.append(floor | {"quant": "nf4"})
    return steps


def _halves(value: int) -> list[int]:
    halves = []
    while value > 1:
        value //= 2
        halves.append(value)
    return halves


def free_bytes(gpu_gb: float = 0.0) -> int:
    """Bytes of the GPU meant: ``gpu_gb`` (10^9 bytes) if given, else what is free on this one.

    Returns 0 when neither is there.
    """
    import torch

    if gpu_gb > 0:
        return int(gpu_gb * 10**9)
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        return int(free)
    return 0
