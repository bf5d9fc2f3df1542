"""Ask teachers together about many views of every history: what a student of theirs trains on.

mlflow run . --env-manager local -e make_transfer_set -P teacher_run=latest
mlflow run . --env-manager local -e make_transfer_set -P teacher_run=my-baseline,my-floor
mlflow run . --env-manager local -e make_transfer_set -P prepared=days-2 -P extends_run=latest \
    -P teacher_run=my-teacher
mlflow run . --env-manager local -e distill -P transfer_run=latest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recdistill import lessons, results, updating
from recdistill.config import main_fields
from recdistill.data import OnData, ancestor_of_split, prepare_for
from recdistill.errors import UserError, require_least
from recdistill.lessons import WeighBy  # noqa: TC001 - read by the parser
from recdistill.progress import progress_of
from recdistill.runs import stage

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.lessons import Lessons, MemberScores, PoolWorth, ViewsConfig
    from recdistill.runs import Run, RunReference


@main_fields("teacher_run", "extends_run", "n_views", "top_k")
@dataclass(frozen=True)
class Config(OnData):
    """Which teachers, and about how many views; conf/make_transfer_set.yaml says the cost."""

    teacher_run: str = "latest"
    extends_run: str = ""
    n_views: int = 12
    crop: float = 0.5
    shortest_crop: float = 0.3
    drop: float = 0.5
    top_k: int = 30
    folds: int = 20
    weigh_by: WeighBy = "likelihood"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.prepared and self.extends:
            raise UserError(
                "extends is a setting of the data, and prepared names data that are there: leave "
                "extends out, or name the transfer set that goes on in extends_run."
            )
        self.views()
        require_least("top_k", self.top_k, 1)
        require_least("folds", self.folds, 2)

    def views(self) -> ViewsConfig:
        """Say how views are drawn."""
        return lessons.ViewsConfig(self.n_views, self.crop, self.shortest_crop, self.drop)


def run(config: Config, run: Run) -> None:
    """Weigh the teachers, test them together once, draw the views, ask about every position."""
    data = prepare_for(config)
    run.log_data(data)
    references, asked = lessons.weighted_references(config.teacher_run)
    older = run.find(config.extends_run, "make_transfer_set") if config.extends_run else None
    # Teachers of a set that goes on may be older than the data: theirs is a slower clock.
    on = None if older else data
    teachers = [run.find(r, *stages(r), data=on) for r in references]
    run.rename("+".join(map(model_of, teachers)), f"s{config.seed}-transfer")
    run.set_tags({"teacher_run_id": ",".join(t.id for t in teachers)})
    inputs = data.inputs() | {"teachers": ",".join(t.id for t in teachers)}
    inputs |= lessons.weights_input(asked)
    if older:
        run.set_tags({"extends_run_id": older.id})
        inputs |= {"extends": older.id}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    names = lessons.teacher_names(teachers)
    before = trained_before(older, data) if older else None
    members = [as_teacher(t, data) for t in teachers]
    with run.phase("weigh"):
        scores = lessons.member_scores(members, data)
        pool = lessons.weigh(members, data, asked, by=config.weigh_by, scores=scores)
        worth = judge(scores, names)
    del scores  # a GiB, for a large catalog
    run.log_metrics(worth.metrics())
    run.log_dict(worth.as_json(), "pool.json")
    weights = pool.weights
    run.log_params({f"teacher.weight.{n}": w for n, w in zip(names, weights, strict=True)})
    said = [f"{n} {w:.2f}" for n, w in zip(names, weights, strict=True)]
    test = results.log_evaluation(run, pool, data)

    with run.phase("label"), progress_of("ask the teachers", "views") as line:
        if before:
            views = updating.fresh_views(before, data, config.views(), seed=config.seed)
        else:
            views = lessons.draw_views(data.train, config.views(), seed=config.seed)
        made = lessons.label_views(
            pool, views, data, k=config.top_k, n_folds=config.folds, report=line.reach,
            scratch=run.folder,
        )  # fmt: skip
    run.log_metrics({"transfer/n_views_asked": len(views.owners)})
    if older and before:
        said_before = lessons.load_transfer_set(older.artifact("transfer_set"), before)
        made = said_before.followed_by(made)
    lessons.save_transfer_set(made, run.folder / "transfer_set", data)
    run.log_artifact(run.folder / "transfer_set", "transfer_set")
    words = [
        results.result_sentence(run.name(), test),
        f"Teachers and weights: {', '.join(said)}.",
        *worth.sentences(),
        size(made),
    ]
    run.note("\n\n".join(words))
    print("\n".join(words))


def trained_before(older: RunReference, data: PreparedData) -> PreparedData:
    """Return the data of an older transfer set, which these grew from."""
    found = ancestor_of_split(data, older.tags["split.digest"])
    if found is None or found.split_digest == data.split_digest:
        raise UserError(
            f"extends_run={older.name} is of {older.tags['data.folder']}, which {data.folder.name} "
            "did not grow from: name data that did in prepared (prepare_data -P extends=... makes "
            "them), or leave extends_run empty to make a new set."
        )
    return found


def as_teacher(teacher: RunReference, data: PreparedData) -> Recommender:
    """Return a teacher's model; one of older days on the catalog of now."""
    return updating.Champion(teacher.name, teacher.artifact("model"), data).as_teacher()


def judge(scores: MemberScores, names: list[str]) -> PoolWorth:
    """Measure what each teacher is worth, a half of the cases at a time."""
    with progress_of("leave each teacher out", "fits", 2 * len(names)) as line:
        return lessons.judge_members(scores, names, report=line.advance)


def stages(reference: str) -> tuple[str, ...]:
    """Take ``latest`` to mean the latest language model; any model can be named."""
    return ("train_teacher",) if reference == "latest" else lessons.MODEL_STAGES


def size(made: Lessons) -> str:
    """Say how much was asked."""
    n_positions, k = made.items.shape
    return (
        f"{len(made.sequences):,} views with {n_positions:,} positions, the teachers' best {k} "
        "items at each."
    )


def model_of(teacher: RunReference) -> str:
    """Say which model a teacher is."""
    text = "-text" if "text_run_id" in teacher.tags else ""
    return f"{teacher.tags['model']}{text}" if "model" in teacher.tags else teacher.name


if __name__ == "__main__":
    stage(run, Config, "make_transfer_set")
