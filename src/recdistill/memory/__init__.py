"""What a setting will need in memory, before and after it ran."""

from recdistill.memory._doctor import Finding, examine, findings_table
from recdistill.memory._draw import draw_timeline, write_timeline
from recdistill.memory._ledger import Ledger, Moment
from recdistill.memory._measure import measure
from recdistill.memory._plan import MemoryPlan, plan
from recdistill.memory._probe import Probe, probe
from recdistill.memory._search import (
    Saving,
    choose_micro_batch,
    free_bytes,
    largest,
    refusal,
    savings,
    savings_table,
)
from recdistill.memory._settings import MemorySettings
from recdistill.memory._shapes import decoder_config, decoder_depth, known_shapes
from recdistill.memory._step import StepBuilder, TrainingStep, decoder_step
from recdistill.memory._watch import Measurement

__all__ = [
    "Finding",
    "Ledger",
    "Measurement",
    "MemoryPlan",
    "MemorySettings",
    "Moment",
    "Probe",
    "Saving",
    "StepBuilder",
    "TrainingStep",
    "choose_micro_batch",
    "decoder_config",
    "decoder_depth",
    "decoder_step",
    "draw_timeline",
    "examine",
    "findings_table",
    "free_bytes",
    "known_shapes",
    "largest",
    "measure",
    "plan",
    "probe",
    "refusal",
    "savings",
    "savings_table",
    "write_timeline",
]
