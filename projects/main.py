"""The whole story in one command: data, floors, baselines, teachers, students, and the verdict.

    mlflow run . --env-manager local -P preset=quick

Every step is a child run of this one, in a process of its own; finished steps are reused. What a
step prints is in its run's ``output.txt``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from recdistill import reporting, runs
from recdistill.config import as_dotted, changed_part, home, main_fields
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError, require_choice, require_least
from recdistill.floors import FLOOR_KINDS
from recdistill.lessons import Control
from recdistill.runs import Plan, PlannedStep, stage, step_costs

if TYPE_CHECKING:
    from concurrent.futures import Future

    from recdistill.reporting import Contrast
    from recdistill.runs import Run, RunReference, Steps

QUICK = (
    "This is a quick run: models are cut short, so what it finds holds for such short trainings "
    "and proves nothing about longer ones. preset=full is the real one."
)
NEXT = (
    "recdistill prepare_data --dataset=shop --data_path=your.csv\n"
    "    (the six commands from there to a service: "
    "docs/guides/from_your_data_to_a_service.md)"
)
# Networks that can teach beside the baseline, and where they differ from its settings.
NETWORKS: dict[str, dict[str, Any]] = {
    "sasrec": {},
    "gru4rec": {"student.n_blocks": 1, "loss_options.label_smoothing": 0},
}
# What the steps of ml-100k took where they were measured, by preset.
MEASURED = {"quick": "docs/assets/demo.json", "full": "docs/assets/full.json"}
OTHER_SEED = 100  # a teacher that is the baseline once more has nothing to add
Pools = Literal["one", "each"]


@main_fields()
@dataclass(frozen=True)
class Config(OnData):
    """Which steps, how often; conf/main.yaml says what they cost."""

    preset: str = "quick"
    floors: list[str] = field(
        default_factory=lambda: ["popularity", "markov", "ease", "knn", "counter"]
    )
    model: str = "sasrec"
    n_seeds: int = 3
    with_teacher: bool = True
    teacher_teaches: bool = True
    with_students: bool = True
    controls: list[Control] = field(default_factory=list)
    student_settings: dict[str, Any] = field(default_factory=dict)
    control_settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    teaching: list[str] = field(default_factory=lambda: ["gru4rec", "ease", "counter"])
    pools: Pools = "one"
    at_once: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (*FLOOR_KINDS, *NETWORKS)
        if unknown := set(self.teaching) - set(known):
            raise UserError(
                f"teaching has {sorted(unknown)[0]!r}: take some of {', '.join(known)}."
            )
        require_choice("pools", self.pools, Pools)
        if strange := set(self.control_settings) - set(get_args(Control)):
            raise UserError(
                f"control_settings has {sorted(strange)[0]!r}, which is no control: take some of "
                f"{', '.join(get_args(Control))}."
            )
        own = {f"control_settings.{name}": told for name, told in self.control_settings.items()}
        for name, told in {"student_settings": self.student_settings, **own}.items():
            runs.require_settings("distill", told, name)
        if len(set(self.teaching)) < len(self.teaching):
            raise UserError(f"teaching names one of {', '.join(self.teaching)} twice.")
        taught = self.teaching or self.pools == "one"
        if self.with_students and not taught and not (self.with_teacher and self.teacher_teaches):
            raise UserError("pools is 'each' and teaching is empty, so nobody teaches: name some.")
        for name in ("n_seeds", "at_once"):
            require_least(name, getattr(self, name), 1)

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

    def pool_seeds(self) -> list[int]:
        """Return the seeds that pools and views are drawn with: one for all, or every student's."""
        seeds = list(self.seeds()) if self.with_students else []
        return seeds[:1] if self.pools == "one" else seeds

    def network_seed(self, seed: int, kind: str) -> int:
        """Return the seed of a pool's network; no other model has it."""
        if self.pools == "one":
            return seed + OTHER_SEED
        return OTHER_SEED * (seed + 1) + self.teaching.index(kind)


@dataclass(frozen=True)
class Trained:
    """The finished runs by what they are."""

    floors: dict[str, RunReference] = field(default_factory=dict)
    networks: list[RunReference] = field(default_factory=list)
    baselines: list[RunReference] = field(default_factory=list)
    teachers: list[RunReference] = field(default_factory=list)
    students: list[RunReference] = field(default_factory=list)
    controls: dict[str, list[RunReference]] = field(default_factory=dict)

    def ids(self) -> str:
        """Name all of them, as ``compare`` wants it.

        A network that is the baseline but for its seed taught the students: counted among the
        baselines, it would make the two sides of the comparison one another's.
        """
        kinds = {one.tags["model"] for one in self.baselines}
        others = [one for one in self.networks if one.tags["model"] not in kinds]
        told_nothing = [one for group in self.controls.values() for one in group]
        models = [*self.floors.values(), *others, *self.baselines]
        models += [*self.teachers, *self.students, *told_nothing]
        return ",".join(one.id for one in models)


def run(config: Config, run: Run) -> None:
    """Run the steps, each as soon as what it reads is there, and say what came out."""
    run.rename(f"{config.dataset}-{config.preset}", "main")
    planned = plan(config)
    print(planned.text(f"main, {config.dataset}, preset {config.preset}"), flush=True)
    with runs.Steps(run, at_once=config.at_once, weights=planned.weights()) as steps:
        trained = train(config, run, steps)
        asked = {"runs": trained.ids(), "reference": trained.baselines[0].id}
        if config.preset == "quick":
            asked |= {"title": f"A quick look at {config.dataset}", "question": QUICK}
        # Every stage has met the test users once, at its end; what is left is to compare.
        compared = steps.start("comparison", "compare", asked).result()
    run.log_metrics({k: v for k, v in compared.metrics.items() if k.startswith(("delta/", "p/"))})
    found = differences(run, trained)
    record = {"differences": [as_plain(*one) for one in found.items()]}
    run.log_dict(steps.record() | record, "steps.json")
    said = [words(*one) for one in found.items()]
    quick = [QUICK] if config.preset == "quick" else []
    run.note("\n\n".join([*quick, *said, steps.table()]))
    if said:
        n = next(iter(found.values())).n_users
        said = [f"NDCG@10 on {n} test users, users and trainings drawn:", *(f"  {w}" for w in said)]
    print("\n".join([*said, *quick]))
    print(f"Report:  {compared.artifact('report.html')}")
    print(f"Picture: {compared.artifact('plots/deltas.png')}")
    print(f"Next:    {NEXT}")


def train(config: Config, run: Run, steps: Steps) -> Trained:
    """Prepare, count, train, ask and teach."""
    shared = given(config)
    sampled = {k: v for k, v in shared.items() if k != "data_seed"} | {"seed": config.data_seed}
    steps.start("data", "prepare_data", sampled).result()
    run.log_data(prepare_for(config))

    counted: Future[RunReference] | None = None
    if kinds := config.counted():
        counted = steps.start("floors", "train_baseline", shared | {"model": ",".join(kinds)})
    baselines = [
        steps.start("baseline", "train_baseline", {**shared, "model": config.model, "seed": seed})
        for seed in config.seeds()
    ]
    networks = {
        (seed, kind): steps.start(
            "network",
            "train_baseline",
            shared | NETWORKS[kind] | {"seed": config.network_seed(seed, kind), "model": kind},
        )
        for seed in config.pool_seeds()
        for kind in config.networks()
    }
    first = {**shared, "seed": config.seed, "baseline_run": baselines[0].result().id}
    teacher = steps.start("teacher", "train_teacher", first) if config.with_teacher else None

    floors = each(run, counted.result(), kinds) if counted else {}
    trained = Trained(floors, [one.result() for one in networks.values()])
    transfers = []
    for seed in config.pool_seeds():
        # A baseline that taught its own student would be no stranger to it.
        together = [baselines[0].result()] if config.pools == "one" else []
        together += [
            networks[seed, kind].result() if kind in NETWORKS else floors[kind]
            for kind in config.teaching
        ]
        together += [teacher.result()] if teacher and config.teacher_teaches else []
        named = ",".join(one.id for one in together)
        asked = {**shared, "seed": seed, "teacher_run": named}
        transfers.append(steps.start("transfer", "make_transfer_set", asked))
    students, controls = [], []
    if config.with_students:
        taught_by = transfers * config.n_seeds if config.pools == "one" else transfers
        for seed, baseline, taught in zip(config.seeds(), baselines, taught_by, strict=True):
            sources = {"baseline_run": baseline.result().id, "transfer_run": taught.result().id}
            settings = {**shared, **sources, "seed": seed}
            asked = settings | config.student_settings
            students.append(steps.start("student", "distill", asked))
            for name in config.controls:
                own = config.control_settings.get(name, config.student_settings)
                told = settings | {"control": name} | own
                controls.append((name, steps.start("control", "distill", told)))
    trained.teachers.extend(one.result() for one in transfers)
    trained.teachers.extend([teacher.result()] if teacher else [])
    trained.baselines.extend(one.result() for one in baselines)
    trained.students.extend(one.result() for one in students)
    for name, one in controls:
        trained.controls.setdefault(name, []).append(one.result())
    return trained


def each(run: Run, started: RunReference, kinds: list[str]) -> dict[str, RunReference]:
    """Name the floors' own runs, which are below one run where there are several."""
    below = [started] if len(kinds) == 1 else runs.children_of(run.client, started.id)
    return dict(zip(kinds, below, strict=True))


def differences(run: Run, trained: Trained) -> dict[str, Contrast]:
    """Test the students beside baseline, controls, and the floor that is best on the test users."""
    if len(trained.students) < 2:
        return {}
    beside = {"its baseline": trained.baselines}
    beside |= {f"the control {name}": group for name, group in trained.controls.items()}
    if trained.floors:
        name, best = max(trained.floors.items(), key=lambda one: one[1].metrics["test/ndcg_at_10"])
        beside[f"the best floor, {name}"] = [best]
    students = [one.id for one in trained.students]
    return {
        other: reporting.contrast_trainings(run, students, [one.id for one in group])["ndcg"]
        for other, group in beside.items()
    }


def words(other: str, found: Contrast) -> str:
    """Say whether the student is better, by how much, how surely."""
    said = f"The student {reporting.outcome_words(found, reporting.ALPHA)} {other}"
    figures = f"{found.delta:+.4f} [{found.low:+.4f}, {found.high:+.4f}]  p {found.p:.3f}"
    return f"{said:<74} {figures}"


def as_plain(other: str, found: Contrast) -> dict[str, Any]:
    """Return what the demo's record keeps of a difference."""
    figures = {name: getattr(found, name) for name in ("delta", "low", "high", "p")}
    counts = {"n_users": found.n_users, "n_trainings": list(found.n_seeds)}
    return {"against": other} | figures | counts


def plan(config: Config) -> Plan:
    """Say what will be done, and how long it takes where that was measured."""
    n = config.n_seeds
    steps = [PlannedStep("data", f"prepare {config.dataset}")]
    if config.counted():
        steps.append(PlannedStep("floors", f"count the floors {', '.join(config.counted())}"))
    steps.append(PlannedStep("baseline", f"train the baseline, {config.model}", n))
    n_pools = len(config.pool_seeds())
    if networks := config.networks():
        steps.append(
            PlannedStep("network", f"train {', '.join(networks)}", n_pools * len(networks))
        )
    if config.with_teacher:
        steps.append(PlannedStep("teacher", "adapt a language model"))
    if config.with_students:
        asked = [config.model, *config.teaching] if config.pools == "one" else config.teaching[:]
        asked += ["the language model"] if config.with_teacher and config.teacher_teaches else []
        steps += [
            PlannedStep(
                "transfer", f"ask {', '.join(asked)} together about views of histories", n_pools
            ),
            PlannedStep("student", "train the student on what they say", n),
        ]
        if config.controls:
            told = f"train the student without that: {', '.join(config.controls)}"
            steps.append(PlannedStep("control", told, n * len(config.controls)))
    steps.append(PlannedStep("comparison", "compare all of them"))
    measured = given(config) == {"dataset": "ml-100k", "preset": config.preset}
    record = MEASURED.get(config.preset) if measured else None
    costs = step_costs(home() / record) if record else None
    return Plan(steps, config.at_once, costs)


def given(config: Config) -> dict[str, Any]:
    """Name the data's settings that differ from their defaults, as a child's parameters."""
    asked = as_dotted(changed_part(config, OnData, always=("dataset", "preset")))
    return {name: value for name, value in asked.items() if name != "seed"}


if __name__ == "__main__":
    stage(run, Config, "main")
