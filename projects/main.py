"""The whole story in one command: data, floors, baselines, teachers, students, and the verdict.

    mlflow run . --env-manager local -P preset=quick

Every step is a child run of this one, in a process of its own; finished steps are reused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recdistill import evaluation, runs
from recdistill.config import as_dotted, main_fields
from recdistill.data import OnData, prepare_for
from recdistill.errors import UserError
from recdistill.floors import FLOOR_KINDS
from recdistill.lessons import Control  # noqa: TC001 - read by the parser
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.runs import Run, RunReference

QUICK = (
    "This is a quick run: models are cut short, so what it finds holds for such short trainings "
    "and proves nothing about longer ones. preset=full is the real one."
)

NEXT = (
    "recdistill prepare_data --dataset=shop --data_path=your.csv   (your own data: "
    "docs/guides/your_own_data.md; the report: make ui)"
)
# Networks that can teach beside the baseline, and where they differ from its settings.
NETWORKS: dict[str, dict[str, Any]] = {
    "sasrec": {},
    "gru4rec": {"student.n_blocks": 1, "loss_options.label_smoothing": 0},
}
OTHER_SEED = 100  # a teacher that is the baseline once more has nothing to add


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
    teaching: list[str] = field(default_factory=lambda: ["gru4rec", "ease", "counter"])

    def __post_init__(self) -> None:
        super().__post_init__()
        known = (*FLOOR_KINDS, *NETWORKS)
        if unknown := set(self.teaching) - set(known):
            raise UserError(
                f"teaching has {sorted(unknown)[0]!r}: take some of {', '.join(known)}."
            )
        if self.n_seeds < 1:
            raise UserError(f"n_seeds is {self.n_seeds}; it must be at least 1.")


def run(config: Config, run: Run) -> None:
    """Run the steps in order, each on the data the first one prepared."""
    run.rename(f"{config.dataset}-{config.preset}", "main")
    shared = given(config)
    print(plan(config), flush=True)

    sampled = {k: v for k, v in shared.items() if k != "data_seed"} | {"seed": config.data_seed}
    runs.launch(run, "prepare_data", sampled)
    run.log_data(prepare_for(config))

    teaching = config.teaching if config.with_students else []
    kinds = list(dict.fromkeys([*config.floors, *teaching]))
    floors = train_floors(run, shared, [kind for kind in kinds if kind not in NETWORKS])
    networks = {}
    for kind in (k for k in kinds if k in NETWORKS):
        own = NETWORKS[kind] | {"seed": config.seed + OTHER_SEED}
        networks[kind] = runs.launch(run, "train_baseline", {**shared, **own, "model": kind})
    baselines = []
    for seed in range(config.seed, config.seed + config.n_seeds):
        settings = {**shared, "model": config.model, "seed": seed}
        baselines.append(runs.launch(run, "train_baseline", settings))

    teachers, students = [], []
    controls: dict[str, list[RunReference]] = {}
    if config.with_teacher:
        settings = {**shared, "baseline_run": baselines[0].id, "seed": config.seed}
        teachers.append(runs.launch(run, "train_teacher", settings))
    if config.with_students:
        together = [baselines[0], *((floors | networks)[kind] for kind in teaching)]
        together += teachers if config.teacher_teaches else []
        named = ",".join(teacher.id for teacher in together)
        settings = {**shared, "teacher_run": named, "seed": config.seed}
        transfer = runs.launch(run, "make_transfer_set", settings)
        teachers.append(transfer)
        for seed, baseline in enumerate(baselines, start=config.seed):
            taught = {"baseline_run": baseline.id, "transfer_run": transfer.id, "seed": seed}
            students.append(runs.launch(run, "distill", {**shared, **taught}))
            for control in config.controls:
                settings = {**shared, **taught, "control": control}
                controls.setdefault(control, []).append(runs.launch(run, "distill", settings))

    # Every stage has met the test users once, at its end; what is left is to compare.
    untaught = [student for group in controls.values() for student in group]
    models = [*floors.values(), *networks.values(), *baselines, *teachers, *students, *untaught]
    finish(config, run, baselines[0], models)
    others = {f"the control {name}": trained for name, trained in controls.items()}
    for name, trainings in ({"its baseline": baselines} | others).items():
        if students and len(trainings) > 1:
            print(difference("The student", students, name, trainings))
    if config.preset == "quick":
        print(QUICK)
    print(f"Next: {NEXT}")


def plan(config: Config) -> str:
    """Say what will be done, step by step."""
    seeds = f"{config.n_seeds} times" if config.n_seeds > 1 else "once"
    steps = [
        f"prepare {config.dataset}",
        f"count the floors {', '.join(config.floors)}",
        f"train the baseline, {config.model}, {seeds}",
    ]
    if config.with_teacher:
        steps.append("adapt a language model")
    if config.with_students:
        teachers = [config.model, *config.teaching]
        teachers += ["the language model"] if config.with_teacher and config.teacher_teaches else []
        steps.append(f"ask {', '.join(teachers)} together about views of every history")
        beside = f", beside it {', '.join(config.controls)}" if config.controls else ""
        steps.append(f"train the student on what they say, {seeds}{beside}")
    lines = [f"  {i}. {step}" for i, step in enumerate([*steps, "compare all of them"], start=1)]
    return "\n".join(["main:", *lines])


def train_floors(run: Run, shared: dict[str, Any], kinds: list[str]) -> dict[str, RunReference]:
    """Train the floors in one process; one run each, by its kind."""
    if not kinds:
        return {}
    started = runs.launch(run, "train_baseline", {**shared, "model": ",".join(kinds)})
    trained = [started] if len(kinds) == 1 else runs.children_of(run.client, started.id)
    return dict(zip(kinds, trained, strict=True))


def finish(config: Config, run: Run, reference: RunReference, models: list[RunReference]) -> None:
    """Compare everything with the baselines, and say which steps were computed."""
    asked: dict[str, Any] = {"runs": ",".join(m.id for m in models), "reference": reference.id}
    if config.preset == "quick":
        asked |= {"title": f"A quick look at {config.dataset}", "question": QUICK}
    compared = runs.launch(run, "compare", asked)
    run.log_metrics({k: v for k, v in compared.metrics.items() if k.startswith(("delta/", "p/"))})
    steps = story(run)
    run.note(f"{QUICK}\n\n{steps}" if config.preset == "quick" else steps)
    print(steps)


def difference(
    name: str, runs_a: list[RunReference], other: str, runs_b: list[RunReference]
) -> str:
    """Say how two recipes differ in NDCG@10, over users and trainings."""
    import numpy as np  # not before the settings are read

    trained = []
    for trainings in (runs_a, runs_b):
        tables = [evaluation.load_evaluation(run.artifact("evaluation")) for run in trainings]
        trained.append(evaluation.boil_down(np.stack([one.outcome("ndcg") for one in tables])))
    found = evaluation.compare_recipes(*trained)
    return (
        f"{name} against {other}: {found.delta:+.4f} NDCG@10 "
        f"[{found.low:+.4f}, {found.high:+.4f}], p {found.p:.3f}, "
        f"over {found.n_users} users and {found.n_seeds_a} trainings a side."
    )


def story(run: Run) -> str:
    """Tell the steps in order: what was run, for how long, what was there already."""
    experiment = run.client.get_run(run.id).info.experiment_id
    children = run.client.search_runs(
        [experiment],
        f"tags.`mlflow.parentRunId` = '{run.id}'",
        order_by=["attributes.start_time ASC"],
    )
    lines = ["| step | run | seconds | |", "|---|---|---:|---|"]
    for child in children:
        seconds = (child.info.end_time - child.info.start_time) / 1000
        origin = child.data.tags.get("cache.hit_of")
        reused = f"reused from {origin[:8]}" if origin else ""
        if not origin and "reused" in child.data.tags:
            reused = f"{child.data.tags['reused']} reused"
        lines.append(
            f"| {child.data.tags['stage']} | {child.info.run_name} | {seconds:.0f} | {reused} |"
        )
    return "\n".join(lines)


def given(config: Config) -> dict[str, Any]:
    """Name the data's settings that differ from their defaults, as a child's parameters."""
    own, default = as_dotted(config), as_dotted(OnData())
    changed = {key: own[key] for key in default if own[key] != default[key] and key != "seed"}
    return changed | {"dataset": config.dataset, "preset": config.preset}


if __name__ == "__main__":
    stage(run, Config, "main")
