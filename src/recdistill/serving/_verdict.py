"""What came out of a challenge: one check after the other, as a table and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recdistill.evaluation import NonInferiority


@dataclass(frozen=True)
class Check:
    """One thing that a challenger must stand.

    Attributes
    ----------
    name : str
    challenger, champion : float
    unit : str
        Of the two values: a metric's name, ``MB``, ``ms`` or ``of the catalog``.
    allowed : str
        What the rules want, in words.
    passed : bool
    finding : str
        What was found, in words.
    test : NonInferiority or None
        Where users were compared.
    """

    name: str
    challenger: float
    champion: float
    unit: str
    allowed: str
    passed: bool
    finding: str
    test: NonInferiority | None = None

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, for a file."""
        test = vars(self.test) if self.test else None
        return {**vars(self), "test": test}


@dataclass(frozen=True)
class Verdict:
    """What came out of a challenge.

    Attributes
    ----------
    checks : list of Check
        The first one is that of all test users.
    n_unknown : int
        Items of the challenger's catalog that the champion cannot rank.
    """

    checks: list[Check]
    n_unknown: int

    @property
    def passed(self) -> bool:
        """Whether the challenger may replace the champion."""
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        """What it did not stand."""
        return [check for check in self.checks if not check.passed]

    def words(self) -> str:
        """Say the main result and whatever was not passed, in a sentence or two."""
        main = self.checks[0]
        n_users = main.test.n_users if main.test else 0
        said = f"{main.unit} {main.finding}, on the same {n_users:,} users"
        if others := [check for check in self.failed if check is not main]:
            said += ". Not passed: " + "; ".join(f"{c.name} ({c.finding})" for c in others)
        if self.n_unknown:
            said += (
                f". {self.n_unknown} items of the catalog are new to the champion, who misses them"
            )
        return said

    def table(self) -> str:
        """Return the checks as a Markdown table."""
        lines = [
            "| check | challenger | champion | found | allowed | |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {c.name} ({c.unit}) | {c.challenger:.4g} | {c.champion:.4g} | {c.finding} | "
            f"{c.allowed} | {'passed' if c.passed else '**not passed**'} |"
            for c in self.checks
        ]
        return "\n".join(lines)
