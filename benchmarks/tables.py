"""Write every table of README and docs that is made from committed result files.

    python -m benchmarks.tables            # or: make tables

Nothing is trained or measured. `tests/unit/test_tables.py` fails where a page differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import (
    additions,
    baselines,
    calibration,
    demo,
    embedding_cost,
    every_night,
    faults,
    full_price,
    gpu_check,
    guard,
    house,
    labelling_speed,
    language,
    language_verdict,
    large_catalogs,
    looks,
    new_items_bound,
    pools,
    report_speed,
    scale,
    scaling,
    speed_tables,
    start_up,
    students,
    teacher_lastfm,
    teacher_quality,
)
from benchmarks.distillation import tables as distillation
from benchmarks.language_new_items import tables as language_new_items

if TYPE_CHECKING:
    from benchmarks.pages import Block


def blocks() -> list[Block]:
    """Make every block of every page."""
    rooms = (
        baselines,
        calibration,
        demo,
        embedding_cost,
        students,
        teacher_quality,
        teacher_lastfm,
        faults,
        speed_tables,
        additions,
        house,
        language,
        language_new_items,
        labelling_speed,
        language_verdict,
        large_catalogs,
        looks,
        new_items_bound,
        pools,
        report_speed,
        start_up,
        every_night,
        full_price,
        gpu_check,
        guard,
        scale,
        scaling,
    )
    return [*distillation.blocks(), *(block for room in rooms for block in room.blocks())]


def main() -> None:
    """Write what differs, and say so."""
    for block in blocks():
        if block.write():
            print(f"{block.page}: {block.mark}")


if __name__ == "__main__":
    main()
