"""The whole story in one command: data, floors, baselines, teachers, students, and the verdict.

    mlflow run . --env-manager local -P preset=quick
    mlflow run . --env-manager local -P dataset=amazon-beauty -P preset=full

Every step is a child run of this one, in a process of its own; finished steps are reused. What a
step prints is in its run's ``output.txt``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill import experiment, runs
from recdistill.config import main_fields
from recdistill.data import prepare_for
from recdistill.experiment import ExperimentSettings, Trained
from recdistill.runs import stage

if TYPE_CHECKING:
    from concurrent.futures import Future

    from recdistill.runs import Run, RunReference, Steps

    Futures = list[Future[RunReference]]

QUICK = (
    "This is a quick run: models are cut short, so what it finds holds for such short trainings "
    "and proves nothing about longer ones. preset=full is the real one."
)
ONE_TRAINING = (
    "One training of each says nothing about a method: n_seeds=5 gives a verdict, and reuses these."
)
NEXT = (
    "recdistill prepare_data --dataset=shop --data_path=your.csv\n"
    "    (the six commands from there to a service: "
    "docs/guides/from_your_data_to_a_service.md)"
)


@main_fields()
@dataclass(frozen=True)
class Config(ExperimentSettings):
    """Which steps, how often; conf/main.yaml says what they cost."""


def run(config: Config, run: Run) -> None:
    """Run the steps, each as soon as what it reads is there, and say what came out."""
    run.rename(f"{config.dataset}-{config.preset}", "main")
    planned = experiment.plan(config)
    print(planned.text(f"main, {config.dataset}, preset {config.preset}"), flush=True)
    with runs.Steps(run, at_once=config.at_once, weights=planned.weights()) as steps:
        trained = train(config, run, steps)
        asked = {"runs": trained.ids(config.model), "reference": trained.baselines[0].id}
        if config.preset == "quick":
            asked |= {"title": f"A quick look at {config.dataset}", "question": QUICK}
        # Every stage has met the test users once, at its end; what is left is to compare.
        compared = steps.start("comparison", "compare", asked).result()
    run.log_metrics({k: v for k, v in compared.metrics.items() if k.startswith(("delta/", "p/"))})
    found = experiment.differences(run, trained)
    record = {"differences": [experiment.as_plain(*one) for one in found.items()]}
    run.log_dict(steps.record() | record, "steps.json")
    said = [experiment.words(*one) for one in found.items()]
    quick = [QUICK] if config.preset == "quick" else []
    run.note("\n\n".join([*quick, *said, steps.table()]))
    if said:
        n = next(iter(found.values())).n_users
        said = [
            f"NDCG@10 on {n} test users, users and trainings drawn, p corrected (Holm):",
            *(f"  {w}" for w in said),
        ]
    elif trained.students:
        said = [ONE_TRAINING]
    print("\n".join([*said, *quick]))
    print(f"Report:  {compared.artifact('report.html')}")
    print(f"Picture: {compared.artifact('plots/deltas.png')}")
    print(f"Next:    {NEXT}")


def train(config: Config, run: Run, steps: Steps) -> Trained:
    """Prepare, count, train, ask and teach."""
    shared = config.of_data()
    sampled = {k: v for k, v in shared.items() if k != "data_seed"} | {"seed": config.data_seed}
    steps.start("data", "prepare_data", sampled).result()
    run.log_data(prepare_for(config))
    texts = ""
    if config.reads_texts():
        texts = steps.start("texts", "embed_items", shared | config.texts()).result().id

    counted: Future[RunReference] | None = None
    if kinds := config.counted():
        counted = steps.start("floors", "train_baseline", shared | {"model": ",".join(kinds)})
    baselines = [
        steps.start("baseline", "train_baseline", config.network(config.model, seed, texts))
        for seed in config.seeds()
    ]
    beside = {
        name: [
            steps.start("beside", "train_baseline", config.network(name, seed, texts))
            for seed in config.seeds()
        ]
        for name in config.beside
    }
    networks: dict[str, Futures] = {name: [] for name in config.networks()}
    for seed in config.pool_seeds():
        for name, own in networks.items():
            asked = config.network(name, config.network_seed(seed, name), texts, teaches=True)
            own.append(steps.start("network", "train_baseline", asked))
    first = {**shared, "seed": config.seed, "baseline_run": baselines[0].result().id}
    teacher = steps.start("teacher", "train_teacher", first) if config.with_teacher else None

    trained = Trained(floors=each(run, counted.result(), kinds) if counted else {})
    trained.networks |= {name: ended(own) for name, own in networks.items()}
    transfers = []
    for place, seed in enumerate(config.pool_seeds()):
        # A baseline that taught its own student would be no stranger to it.
        together = [baselines[0].result()] if config.pools == "one" else []
        together += [
            trained.networks[kind][place] if kind in networks else trained.floors[kind]
            for kind in config.teaching
        ]
        together += [teacher.result()] if teacher and config.teacher_teaches else []
        named = ",".join(one.id for one in together)
        asked = {**shared, "seed": seed, "teacher_run": named}
        transfers.append(steps.start("transfer", "make_transfer_set", asked))
    students: Futures = []
    controls: dict[str, Futures] = {name: [] for name in config.controls}
    if config.with_students:
        taught_by = transfers * config.n_seeds if config.pools == "one" else transfers
        for seed, baseline, taught in zip(config.seeds(), baselines, taught_by, strict=True):
            sources = {"baseline_run": baseline.result().id, "transfer_run": taught.result().id}
            settings = {**shared, **sources, "seed": seed}
            asked = settings | config.student_settings
            students.append(steps.start("student", "distill", asked))
            for name, group in controls.items():
                told = config.control_settings.get(name, config.student_settings)
                asked = settings | {"control": name} | told
                group.append(steps.start("control", "distill", asked))
    trained.teachers = [*ended(transfers), *([teacher.result()] if teacher else [])]
    trained.baselines, trained.students = ended(baselines), ended(students)
    trained.beside |= {name: ended(group) for name, group in beside.items()}
    trained.controls |= {name: ended(group) for name, group in controls.items()}
    return trained


def each(run: Run, started: RunReference, kinds: list[str]) -> dict[str, RunReference]:
    """Name the floors' own runs, which are below one run where there are several."""
    below = [started] if len(kinds) == 1 else runs.children_of(run.client, started.id)
    return dict(zip(kinds, below, strict=True))


def ended(steps: Futures) -> list[RunReference]:
    """Wait for steps."""
    return [step.result() for step in steps]


if __name__ == "__main__":
    stage(run, Config, "main")
