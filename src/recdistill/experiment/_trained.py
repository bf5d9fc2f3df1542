"""What an experiment has trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recdistill.runs import RunReference

    Group = list[RunReference]


@dataclass
class Trained:
    """Finished runs by what they are; those of several kinds by their names too."""

    baselines: Group = field(default_factory=list)
    beside: dict[str, Group] = field(default_factory=dict)
    floors: dict[str, RunReference] = field(default_factory=dict)
    networks: dict[str, Group] = field(default_factory=dict)
    teachers: Group = field(default_factory=list)
    students: Group = field(default_factory=list)
    controls: dict[str, Group] = field(default_factory=dict)

    def ids(self, model: str) -> str:
        """Name all that are set beside each other, as ``compare`` wants it.

        A network that is the baseline, or another one beside it, but for its seed taught the
        students: counted among those, it would make the two sides of a comparison one another's.
        """
        own = (model, *self.beside)
        others = [group for name, group in self.networks.items() if name not in own]
        groups = [list(self.floors.values()), *others, *self.beside.values(), self.baselines]
        groups += [self.teachers, self.students, *self.controls.values()]
        return ",".join(one.id for group in groups for one in group)
