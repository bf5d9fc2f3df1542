"""What language adds on this data: arms that differ in an item's vector alone, and a verdict."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.audit._arms import Arm, arms_of
    from recdistill.audit._findings import (
        ArmResult,
        Difference,
        LanguageAudit,
    )
    from recdistill.audit._grid import Grid, Setting
    from recdistill.audit._measure import measure
    from recdistill.audit._plan import AuditPlan
    from recdistill.audit._trainings import ArmTrainer
    from recdistill.audit._verdict import caveats, signed, verdict

__all__ = [
    "Arm",
    "ArmResult",
    "ArmTrainer",
    "AuditPlan",
    "Difference",
    "Grid",
    "LanguageAudit",
    "Setting",
    "arms_of",
    "caveats",
    "measure",
    "signed",
    "verdict",
]

import_on_first_use(__name__)
