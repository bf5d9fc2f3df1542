"""Let teachers together imagine how every user goes on, for students to learn from.

mlflow run . --env-manager local -e imagine -P teacher_run=latest
mlflow run . --env-manager local -e imagine -P teacher_run=sasrec-s0-baseline,ease-s0-baseline
mlflow run . --env-manager local -e distill -P imagined_run=latest -P teacher_run=none
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from projects._finish import log_evaluation, sentence
from projects._on_data import OnData
from projects._taught import MODELS, weighted_references
from recdistill.distillation import (
    Futures,
    ImagineConfig,
    LogLinearPool,
    imagine,
    weigh_on_validation,
)
from recdistill.errors import UserError
from recdistill.serving import load_recommender
from recdistill.teachers import TeacherRecommender
from recdistill.tracking import Run, stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recdistill.data import PreparedData
    from recdistill.evaluation import Recommender
    from recdistill.tracking import RunReference


@dataclass(frozen=True)
class Config(OnData):
    """Which teachers, and how much they imagine; conf/imagine.yaml says the cost."""

    teacher_run: str = "latest"
    n_variants: int = 16
    length: int = 11
    top_k: int = 20
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.imagined()

    def imagined(self) -> ImagineConfig:
        """Say how much is imagined."""
        return ImagineConfig(self.n_variants, self.length, self.top_k, self.temperature)


def run(config: Config, run: Run) -> None:
    """Weigh the teachers, test them together once, imagine, write the futures."""
    data = config.prepared(run)
    references, asked = weighted_references(config.teacher_run)
    teachers = [run.find(r, *stages(r), data=data) for r in references]
    run.rename(name(config, teachers))
    run.set_tags({"teacher_run_id": ",".join(t.id for t in teachers)})
    inputs = {"split": data.split_digest, "teachers": ",".join(t.id for t in teachers)}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    members = [load_recommender(t.artifact("model"), data.catalog) for t in teachers]
    with run.phase("weigh"):
        weights = tuple(asked) if asked else weigh_on_validation(members, data)[0]
    pool = LogLinearPool(members, weights, data.catalog.digest)
    run.log_params({f"teacher.weight.{t.name}": w for t, w in zip(teachers, weights, strict=True)})
    said = [f"{t.name} {w:.2f}" for t, w in zip(teachers, weights, strict=True)]
    test = log_evaluation(run, pool, data)

    with run.phase("imagine"):
        futures = imagine(
            pool,
            data.train,
            config.imagined(),
            seed=config.seed,
            drawn_by=drawer(members, weights, teachers, run, data),
            report=lambda n, of: print(f"imagined for {n:,} of {of:,} users", flush=True),
        )
    futures.save(run.folder / "futures", data)
    run.log_artifact(run.folder / "futures", "futures")
    words = [sentence(run.name(), test), f"Teachers and weights: {', '.join(said)}.", size(futures)]
    run.note("\n\n".join(words))
    print("\n".join(words))


def stages(reference: str) -> tuple[str, ...]:
    """Take ``latest`` to mean the latest language model; any model can be named."""
    return ("train_teacher",) if reference == "latest" else MODELS


def drawer(
    members: Sequence[Recommender],
    weights: Sequence[float],
    teachers: Sequence[RunReference],
    run: Run,
    data: PreparedData,
) -> Recommender | None:
    """Return who draws where a language model is among the teachers, else None: all together.

    Drawing asks once per imagined item. A language model reads a whole continuation as fast as one
    item, so it judges what the others draw, or what its own frozen recommender draws.
    """
    quick = [not isinstance(member, TeacherRecommender) for member in members]
    if all(quick):
        return None
    drawing = [i for i, is_quick in enumerate(quick) if is_quick and weights[i]]
    if drawing:
        chosen = [members[i] for i in drawing]
        return LogLinearPool(chosen, weigh_on_validation(chosen, data)[0], data.catalog.digest)
    below = teachers[0].tags.get("baseline_run_id")
    if below is None:
        raise UserError(f"Run {teachers[0].name} names no baseline: add one to teacher_run.")
    baseline = run.find(below, "train_baseline", data=data)
    frozen = load_recommender(baseline.artifact("model"), data.catalog)
    return LogLinearPool([frozen], [1.0], data.catalog.digest)


def size(futures: Futures) -> str:
    """Say how much was imagined."""
    n_variants, n_users, length, k = futures.lists.shape
    return (
        f"{n_variants} futures of {length} items for each of {n_users:,} users, "
        f"the best {k} items at every place."
    )


def name(config: Config, teachers: Sequence[RunReference]) -> str:
    """Name the teachers: the first, and how many more."""
    more = f"-and-{len(teachers) - 1}-more" if len(teachers) > 1 else ""
    return f"{teachers[0].name}{more}-s{config.seed}-imagine"


if __name__ == "__main__":
    stage(run, Config, "imagine")
