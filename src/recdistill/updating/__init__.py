"""Models that go on: trained on what happened since, on a catalog that grew."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.updating._frozen import Frozen, catalog_of, load_frozen
    from recdistill.updating._since import Replay, Since, new_counts, since
    from recdistill.updating._update import UpdateConfig, Updated, update_student

__all__ = [
    "Frozen",
    "Replay",
    "Since",
    "UpdateConfig",
    "Updated",
    "catalog_of",
    "load_frozen",
    "new_counts",
    "since",
    "update_student",
]

import_on_first_use(__name__)
