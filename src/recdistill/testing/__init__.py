"""Conformance suites: inherit one in a test file, and what you added is held to its laws.

They run under pytest with hypothesis; ours run over our own models and terms by the same classes.
"""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.testing._floors import FloorSuite, RecommenderSuite
    from recdistill.testing._readers import Interaction, ReaderSuite
    from recdistill.testing._students import StudentSuite
    from recdistill.testing._terms import TermStep, TermSuite
    from recdistill.testing._timed_students import TimedStudentSuite

__all__ = [
    "FloorSuite",
    "Interaction",
    "ReaderSuite",
    "RecommenderSuite",
    "StudentSuite",
    "TermStep",
    "TermSuite",
    "TimedStudentSuite",
]

import_on_first_use(__name__)
