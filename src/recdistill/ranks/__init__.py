"""Several processes that train one model: who they are, how they start, what they tell each other.

Rank 0 is the process that the user started. It alone reads settings, writes to the tracking store
and keeps files; the others make the same call on their share of every batch.
"""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.ranks._follow import follow
    from recdistill.ranks._group import Group, current, is_lead, peaks_by_rank
    from recdistill.ranks._launched import launched_place, leading
    from recdistill.ranks._place import Place
    from recdistill.ranks._settings import Devices, Strategy
    from recdistill.ranks._shares import SharedScores, share_of, whole_file
    from recdistill.ranks._together import together

__all__ = [
    "Devices",
    "Group",
    "Place",
    "SharedScores",
    "Strategy",
    "current",
    "follow",
    "is_lead",
    "launched_place",
    "leading",
    "peaks_by_rank",
    "share_of",
    "together",
    "whole_file",
]

import_on_first_use(__name__)
