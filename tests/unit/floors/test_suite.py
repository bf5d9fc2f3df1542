"""Every floor keeps the laws of the suite."""

from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.testing import FloorSuite


class OneOfOurs(FloorSuite):
    kind = "popularity"

    def floor(self, train, catalog):
        return fit_floor(self.kind, train, catalog)


for _kind in FLOOR_KINDS:
    globals()[f"Test_{_kind}"] = type(f"Test{_kind}", (OneOfOurs,), {"kind": _kind})
