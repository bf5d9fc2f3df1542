"""What an audit will train, and how long that takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recdistill.audit._arms import Arm
    from recdistill.audit._grid import Grid, Setting
    from recdistill.students import Architecture


@dataclass(frozen=True)
class AuditPlan:
    """Arms times settings on validation, then arms times seeds for the test part.

    Attributes
    ----------
    arms : tuple of Arm
    grid : Grid
    own : Architecture
        The audited recipe's.
    n_seeds : int
        Trainings of an arm with its chosen setting.
    n_draws : int
        The least number of trainings of an arm that is drawn; each has a draw of its own.
    """

    arms: tuple[Arm, ...]
    grid: Grid
    own: Architecture
    n_seeds: int
    n_draws: int

    def settings(self, arm: Arm) -> list[Setting]:
        """Return what is tried for an arm."""
        return self.grid.settings(arm, self.own)

    def n_trials(self, arm: Arm) -> int:
        """Count the trainings that choose an arm's setting; one setting needs no choice."""
        n = len(self.settings(arm))
        return n if n > 1 else 0

    def n_trainings(self, arm: Arm) -> int:
        """Count the trainings of an arm that meet the test part."""
        return max(self.n_seeds, self.n_draws) if arm.is_drawn else self.n_seeds

    @property
    def n_all(self) -> int:
        """Trainings in all."""
        return sum(self.n_trials(arm) + self.n_trainings(arm) for arm in self.arms)

    def words(self) -> str:
        """Say what will be trained, arm by arm."""
        width = max(len(arm.name) for arm in self.arms)
        lines = [f"  {'arm':{width}}  settings tried  then trained"]
        lines += [
            f"  {arm.name:{width}}  {len(self.settings(arm)):14}  {self.n_trainings(arm):12}"
            for arm in self.arms
        ]
        n_tested = sum(map(self.n_trainings, self.arms))
        lines.append(
            f"  {self.n_all} trainings; {self.n_all - n_tested} of them choose settings on "
            f"validation, {n_tested} meet the test part, once each."
        )
        return "\n".join(lines)

    def estimate(self, epoch_seconds: float, max_epochs: int) -> str:
        """Say how long all of it takes, by the first epoch."""
        hours = epoch_seconds * max_epochs * self.n_all / 3600
        whole = f"{hours:.1f} hours" if hours >= 2 else f"{max(1, round(hours * 60))} minutes"
        return (
            f"The first epoch took {epoch_seconds:.1f} s: {self.n_all} trainings of at most "
            f"{max_epochs} epochs take {whole} at most. What is finished is kept: the same command "
            "goes on where it was stopped."
        )
