"""From plans to decisions: what fits, what a knob buys, what to change when nothing fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recdistill.errors import UserError
from recdistill.memory._plan import GIB, MemoryPlan, plan
from recdistill.memory._step import StepBuilder, decoder_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recdistill.memory._settings import MemorySettings

    PlanFunction = Callable[[MemorySettings], MemoryPlan]


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
        saved = before.total_bytes - after.total_bytes
        found.append(Saving(in_flags({name: new}), cost, saved, after))
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
        return settings.device == "cuda" and not settings.train_backbone
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


def refusal(
    refused: MemoryPlan,
    budget_bytes: int,
    plan_function: PlanFunction = plan,
    nearest: Sequence[tuple[str, MemorySettings]] | None = None,
) -> str:
    """One sentence: what it would need, what there is, and the nearest setting that fits.

    Parameters
    ----------
    nearest : sequence of (words, settings), optional
        What to try, the mildest change first, each in the words of the caller's own flags.
    """
    settings = refused.settings
    need = (
        f"{settings.llm} at batch={settings.batch}, length={settings.length} needs "
        f"{refused.total_bytes / GIB:.2f} GiB but {budget_bytes / GIB:.2f} GiB are free"
    )
    for words, changed in _nearest(settings) if nearest is None else nearest:
        if plan_function(changed).total_bytes <= budget_bytes:
            return f"{need}: the nearest setting that fits is {words}."
    return f"{need}: nothing short of a smaller llm makes it fit."


def in_flags(change: dict[str, Any]) -> str:
    """Write changed settings as train_teacher, plan_memory and probe_memory spell them."""
    names = {"lora_dropout": "lora.dropout", "head_dim": "head.dim"}
    values = {"True": "true", "bf16": "bf16-mixed", "fp16": "16-mixed", "fp32": "32-true"}
    return ", ".join(f"{names.get(k, k)}={values.get(str(v), v)}" for k, v in change.items())


def _nearest(settings: MemorySettings) -> list[tuple[str, MemorySettings]]:
    """List changes from the mildest: smaller micro-batches, recomputation, less input."""
    batches = halves(settings.batch)
    checkpointed = [{"checkpointing": True}] if not settings.checkpointing else []
    steps: list[dict[str, Any]] = [{"batch": b} for b in batches]
    steps += [c | {"batch": b} for c in checkpointed for b in [settings.batch, *batches]]
    floor: dict[str, Any] = {"checkpointing": True, "batch": 1}
    steps += [floor | {"length": n} for n in halves(settings.length, 32)]
    if settings.device == "cuda" and not settings.train_backbone:
        steps.append(floor | {"quant": "nf4"})
    return [(in_flags(change), settings.but(**change)) for change in steps]


def halves(value: int, least: int = 1) -> list[int]:
    """Half of a number, half of that, and so on while at least ``least``."""
    found = []
    while (value := value // 2) >= max(least, 1):
        found.append(value)
    return found
