"""An experiment from nothing to its verdict: who is trained with which seeds, and who must win."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.experiment._networks import NETWORKS, network_parameters
    from recdistill.experiment._plan import MEASURED, plan
    from recdistill.experiment._settings import ExperimentSettings
    from recdistill.experiment._trained import Trained
    from recdistill.experiment._verdict import as_plain, differences, words

__all__ = [
    "MEASURED",
    "NETWORKS",
    "ExperimentSettings",
    "Trained",
    "as_plain",
    "differences",
    "network_parameters",
    "plan",
    "words",
]

import_on_first_use(__name__)
