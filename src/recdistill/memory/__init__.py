"""What a setting will need in memory, before and after it ran."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.memory._draw import draw_timeline, write_timeline
    from recdistill.memory._free import free_bytes, free_host_bytes
    from recdistill.memory._measure import measure
    from recdistill.memory._pieces import Cut, DoesNotFitError, cut_to_fit
    from recdistill.memory._plan import MemoryPlan, Verdict, plan
    from recdistill.memory._probe import OutOfMemoryError, Probe, probe
    from recdistill.memory._search import (
        halves,
        in_flags,
        largest,
        refusal,
        savings,
        savings_table,
    )
    from recdistill.memory._settings import MemorySettings
    from recdistill.memory._shapes import decoder_config, decoder_depth, known_shapes
    from recdistill.memory._step import TrainingStep, decoder_step
    from recdistill.memory._watch import Measurement, watch_step

__all__ = [
    "Cut",
    "DoesNotFitError",
    "Measurement",
    "MemoryPlan",
    "MemorySettings",
    "OutOfMemoryError",
    "Probe",
    "TrainingStep",
    "Verdict",
    "cut_to_fit",
    "decoder_config",
    "decoder_depth",
    "decoder_step",
    "draw_timeline",
    "free_bytes",
    "free_host_bytes",
    "halves",
    "in_flags",
    "known_shapes",
    "largest",
    "measure",
    "plan",
    "probe",
    "refusal",
    "savings",
    "savings_table",
    "watch_step",
    "write_timeline",
]

import_on_first_use(__name__)
