"""What stands beside the verdict: reaching the teachers, what was shared, looks at the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.reporting._comparison import ALPHA
from recdistill.reporting._verdict import NAMES, Claim, signed

if TYPE_CHECKING:
    from recdistill.reporting._comparison import Comparison
    from recdistill.reporting._reach import Reach


def caveats(comparison: Comparison) -> list[Claim]:
    """Say what a reader has to know with the verdict."""
    return [
        *_few_items(comparison),
        *(_reach(one) for one in comparison.reaches),
        *_shared(comparison),
        *_looks(comparison),
        *_chosen_after_a_look(comparison),
    ]


def _reach(one: Reach) -> Claim:
    name = NAMES[one.metric]
    if one.margin is None:
        return Claim(
            f"In {name}, {one.against} is not above the reference here, so there is nothing for "
            f"{one.of} to reach"
        )
    if not one.known:
        return Claim(
            f"Whether {one.of} reaches its teachers in {name} cannot be said from one training: "
            f"{signed(one.delta)}"
        )
    how = "stated before" if one.stated else "half of what they gain over the reference"
    figures = (
        f"{signed(one.delta)}, interval {signed(one.low)} to {signed(one.high)}, margin "
        f"{one.margin:.4f} ({how})"
    )
    if one.equal:
        return Claim(f"In {name}, {one.of} is as good as its teachers, {one.against}", figures)
    if one.reaches:
        return Claim(f"In {name}, {one.of} reaches its teachers, {one.against}", figures)
    return Claim(
        f"In {name} it is not shown that {one.of} reaches its teachers, {one.against}", figures
    )


def _few_items(comparison: Comparison) -> list[Claim]:
    """Name differences that users show and items do not."""
    found = [one for row in comparison.rows for one in row.against_reference.values()]
    found += [one for all_of in comparison.against_floor.values() for one in all_of.values()]
    claims = {}
    for one in found:
        low, high = one.low_items, one.high_items
        if low is None or high is None or one.p_adjusted >= comparison.level or low * high > 0:
            continue
        claims[one.of, one.against, one.metric] = Claim(
            f"Few items carry what {one.of} and {one.against} differ by in {NAMES[one.metric]}",
            f"over the {one.n_targets:,} items that are targets the interval is "
            f"{signed(low)} to {signed(high)}",
        )
    return list(claims.values())


def _shared(comparison: Comparison) -> list[Claim]:
    shared = [row.label for row in comparison.rows if row.group.shared_source]
    if not shared:
        return []
    return [
        Claim(
            f"All seeds of {', '.join(shared)} learned from one set of teachers' answers: what "
            "other teachers or other views would change is in no interval"
        )
    ]


def _looks(comparison: Comparison) -> list[Claim]:
    n = comparison.history.n_looks
    if not n:
        return []
    words = f"This test part has been looked at {n} times, once for each model that met it"
    if comparison.level < ALPHA:
        return [
            Claim(words, f"a verdict needs p below {comparison.level:.2g}, which is {ALPHA:g}/{n}")
        ]
    return [Claim(words, "correct_for_looks=true divides the verdict's level by that number")]


def _chosen_after_a_look(comparison: Comparison) -> list[Claim]:
    tried = {
        row.label: comparison.history.tried_before(row.group)
        for row in comparison.rows
        if not row.group.is_floor
    }
    late = {label: n for label, n in tried.items() if n}
    if not late:
        return []
    words = ", ".join(f"{label} after {n}" for label, n in late.items())
    return [
        Claim(
            "Settings tried after other settings of their kind had met the test part",
            f"{words}. If results there had a say in the choice, these p-values are too small",
        )
    ]
