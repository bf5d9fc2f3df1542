"""Who is trained, how often, who teaches, and by which settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from recdistill import runs
from recdistill.config import as_dotted, changed_part
from recdistill.data import OnData
from recdistill.errors import UserError, require_choice, require_least
from recdistill.experiment._networks import NETWORKS, WITH_TEXTS, network_parameters
from recdistill.floors import FLOOR_KINDS
from recdistill.lessons import Control

if TYPE_CHECKING:
    from collections.abc import Collection

OTHER_SEED = 100  # a teacher that is the baseline once more has nothing to add
Pools = Literal["one", "each"]
Parameters = dict[str, Any]


@dataclass(frozen=True)
class ExperimentSettings(OnData):
    """Which steps, how often; conf/main.yaml says what each setting is and costs."""

    preset: str = "quick"
    floors: list[str] = field(
        default_factory=lambda: ["popularity", "markov", "ease", "knn", "counter"]
    )
    model: str = "sasrec"
    n_seeds: int = 3
    beside: list[str] = field(default_factory=list)
    with_teacher: bool = True
    teacher_teaches: bool = True
    with_students: bool = True
    controls: list[Control] = field(default_factory=list)
    student_settings: Parameters = field(default_factory=dict)
    control_settings: dict[str, Parameters] = field(default_factory=dict)
    network_settings: dict[str, Parameters] = field(default_factory=dict)
    teaching_settings: dict[str, Parameters] = field(default_factory=dict)
    encoder: str = "tfidf"
    text_settings: Parameters = field(default_factory=dict)
    teaching: list[str] = field(default_factory=lambda: ["gru4rec", "ease", "counter"])
    pools: Pools = "one"
    at_once: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("pools", self.pools, Pools)
        _require_known("model", [self.model], NETWORKS)
        _require_known("beside", self.beside, NETWORKS)
        _require_known("teaching", self.teaching, (*FLOOR_KINDS, *NETWORKS))
        _require_known("control_settings", self.control_settings, get_args(Control))
        _require_known("network_settings", self.network_settings, NETWORKS)
        _require_known("teaching_settings", self.teaching_settings, NETWORKS)
        self._require_children()
        if self.model in self.beside:
            raise UserError(f"beside names {self.model}, which is the baseline: leave it out.")
        taught = self.teaching or self.pools == "one"
        if self.with_students and not taught and not (self.with_teacher and self.teacher_teaches):
            raise UserError("pools is 'each' and teaching is empty, so nobody teaches: name some.")
        for name in ("n_seeds", "at_once"):
            require_least(name, getattr(self, name), 1)

    def _require_children(self) -> None:
        """Refuse now what a step would refuse when its turn comes."""
        if self.reads_texts():
            runs.require_settings("embed_items", self.texts(), "text_settings")
        runs.require_settings("distill", self.student_settings, "student_settings")
        for name, own in self.control_settings.items():
            runs.require_settings("distill", own, f"control_settings.{name}")
        for where in ("network_settings", "teaching_settings"):
            for name, own in getattr(self, where).items():
                asked = network_parameters(name) | own
                runs.require_settings("train_baseline", asked, f"{where}.{name}")

    def of_data(self) -> Parameters:
        """Name the data's settings that differ from their defaults, as a step's parameters."""
        asked = as_dotted(changed_part(self, OnData, always=("dataset", "preset")))
        return {name: value for name, value in asked.items() if name != "seed"}

    def seeds(self) -> range:
        """Return the seeds that baselines, students and controls are trained with."""
        return range(self.seed, self.seed + self.n_seeds)

    def counted(self) -> list[str]:
        """Return the floors, those that only teach included."""
        teaching = self.teaching if self.with_students else []
        return [k for k in dict.fromkeys([*self.floors, *teaching]) if k not in NETWORKS]

    def networks(self) -> list[str]:
        """Return the networks that are trained to teach, of every pool."""
        return [k for k in self.teaching if k in NETWORKS] if self.with_students else []

    def reads_texts(self) -> bool:
        """Tell whether any network's items have texts."""
        return any(k.endswith(WITH_TEXTS) for k in (self.model, *self.beside, *self.networks()))

    def texts(self) -> Parameters:
        """Return the parameters of ``embed_items``."""
        return {"encoder": self.encoder} | self.text_settings

    def pool_seeds(self) -> list[int]:
        """Return the seeds that pools and views are drawn with: one for all, or every student's."""
        seeds = list(self.seeds()) if self.with_students else []
        return seeds[:1] if self.pools == "one" else seeds

    def network_seed(self, seed: int, name: str) -> int:
        """Return the seed of a pool's network; no other model has it."""
        if self.pools == "one":
            return seed + OTHER_SEED
        return OTHER_SEED * (seed + 1) + self.teaching.index(name)

    def network(self, name: str, seed: int, text_run: str, *, teaches: bool = False) -> Parameters:
        """Return the parameters of ``train_baseline`` that train a network on this data."""
        own = self.network_settings.get(name, {})
        own = own | self.teaching_settings.get(name, {}) if teaches else own
        return self.of_data() | network_parameters(name, text_run) | own | {"seed": seed}


def _require_known(setting: str, named: Collection[str], known: tuple[str, ...]) -> None:
    """Refuse a name that is unknown, or that a list has twice."""
    if unknown := sorted(set(named) - set(known)):
        raise UserError(f"{setting} has {unknown[0]!r}: take some of {', '.join(known)}.")
    if len(set(named)) < len(named):
        raise UserError(f"{setting} names one of {', '.join(named)} twice.")
