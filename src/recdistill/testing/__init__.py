"""Conformance suites: inherit one in a test file, and what you added is held to its laws.

They run under pytest with hypothesis; ours run over our own models by the same classes.
"""

from recdistill.testing._students import StudentSuite

__all__ = ["StudentSuite"]
