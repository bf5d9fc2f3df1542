"""Let a finished model go on with what happened since it was trained, or train it anew.

mlflow run . --env-manager local -e update -P champion_run=latest
mlflow run . --env-manager local -e update -P champion_run=sasrec-s0-baseline -P full=true
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill import (
    data_runs,
    evaluation,
    floors,
    results,
    students,
    text_runs,
    training,
    updating,
)
from recdistill.config import main_fields
from recdistill.data import OnData, ancestor_of_split, prepare_for
from recdistill.errors import UserError
from recdistill.floors import FLOOR_KINDS
from recdistill.runs import stage
from recdistill.updating import Replay, UpdateConfig

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import Evaluation
    from recdistill.floors import Floor
    from recdistill.runs import Run, RunReference
    from recdistill.students import StudentRecommender
    from recdistill.texts import ItemVectors

CHAMPIONS = ("update", "distill", "train_baseline")


@main_fields("champion_run", "prepared", "full", "epochs", "lr_share", "text_run")
@dataclass(frozen=True)
class Config(OnData):
    """Which model goes on, with what; conf/update.yaml says what each knob does and costs."""

    champion_run: str = "latest"
    prepared: str = "latest"
    full: bool = False
    epochs: int = 3
    lr_share: float = 0.5
    replay: Replay = field(default_factory=Replay)
    text_run: str = "latest"
    place_by_text: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.update()

    def update(self) -> UpdateConfig:
        """Collect how a student goes on."""
        return UpdateConfig(self.epochs, self.lr_share, self.replay)

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        going_on = {"epochs", "lr_share", "replay", "place_by_text"} if self.full else set()
        return super().unused() | going_on | {"prepared", "text_run"}


def run(config: Config, run: Run) -> None:
    """Go on, or train anew; evaluate once, beside the champion as it was."""
    champion = run.find(config.champion_run, *CHAMPIONS)
    config = replace(config, prepared=data_runs.folder_of(config.prepared, run))
    data = prepare_for(config)
    run.log_data(data)
    run.rename(champion.name, f"s{config.seed}-{'anew' if config.full else 'update'}")
    run.set_tags({"champion_run_id": champion.id})
    folder = champion.artifact("model")
    is_floor = champion.tags.get("model") in FLOOR_KINDS
    item = "id" if is_floor else training.load_recipe(folder).architecture.item
    placed = "text" if config.place_by_text and not (is_floor or config.full) else item
    texts = text_runs.find_texts(config.text_run, placed, run, data)
    run.set_tags(texts.tags() | {k: v for k, v in champion.tags.items() if k == "model"})
    inputs = {"split": data.split_digest, "champion": champion.id} | texts.inputs()
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    model: Floor | StudentRecommender
    if is_floor:
        model, n_epochs = count(run, data, folder), 0
    else:
        model, n_epochs = train(config, run, data, champion, texts.vectors(data))
    run.log_artifact(run.folder / "model", "model")
    test = results.log_evaluation(run, model, data, step=n_epochs, brief=is_floor)
    words = [results.result_sentence(run.name(), test), *beside(run, test, data, folder)]
    run.note("\n\n".join(words))
    print("\n".join(words))


def count(run: Run, data: PreparedData, folder: Path) -> Floor:
    """Count a floor over all that happened: a second, and the same as adding what is new."""
    known = updating.catalog_of(folder, data.catalog) or data.catalog
    with run.phase("fit"):
        floor = floors.refit(floors.load_model(folder, known), data.train, data.catalog)
    floors.save_model(floor, run.folder / "model", split_digest=data.split_digest)
    return floor


def train(
    config: Config,
    run: Run,
    data: PreparedData,
    champion: RunReference,
    vectors: ItemVectors | None,
) -> tuple[StudentRecommender, int]:
    """Train the champion's student on, or another one by its recipe."""
    folder = champion.artifact("model")
    recipe = training.load_recipe(folder)
    if champion.stage == "distill":
        print(f"{champion.name} was distilled: this training has its recipe, not its lessons.")
    how: dict[str, Any] = {
        "seed": config.seed,
        "vectors": vectors,
        "log": run.log_metrics,
        "checkpoint_folder": Path(run.checkpoint_folder),
    }
    with run.phase("fit"):
        if config.full:
            fitted = training.fit_student(recipe, data, **how)
            run.log_metrics(fitted.metrics())
        else:
            student, _ = students.read_student(folder)
            before = trained_on(champion, student, data)
            updated = updating.update_student(student, recipe, before, data, config.update(), **how)
            fitted = updated.fitted
            run.log_metrics(updated.metrics())
    students.save_model(fitted.recommender, run.folder / "model")
    training.save_recipe(recipe, run.folder / "model")
    return fitted.recommender, fitted.result.n_epochs


def trained_on(
    champion: RunReference, student: StudentRecommender, data: PreparedData
) -> PreparedData:
    """Find the data that the champion was trained on, among those that this grew from."""
    before = ancestor_of_split(data, student.split_digest)
    if before is None:
        raise UserError(
            f"{data.folder} did not grow from what '{champion.name}' was trained on "
            f"({champion.tags.get('data.folder', 'its folder is not named')}): prepare the data "
            "with extends, name another champion_run, or train anew with full=true."
        )
    return before


def beside(run: Run, test: Evaluation, data: PreparedData, folder: Path) -> list[str]:
    """Test the champion as it was on the same users, where it knows the catalog."""
    if updating.catalog_of(folder, data.catalog) is None:
        return []
    frozen = updating.load_frozen(folder, data.catalog)
    was = evaluation.evaluate(frozen, data.test, data.catalog, data.train)
    found = evaluation.compare_paired([test.per_user], [was.per_user], metric="ndcg")
    run.log_metrics(
        {
            "champion/test/ndcg_at_10": found.value_b,
            "delta/ndcg_at_10_vs_champion": found.delta,
            "p/ndcg_at_10_vs_champion": found.p,
        }
    )
    return [
        f"NDCG@10 against the champion as it was ({found.value_b:.4f}): {found.delta:+.4f} "
        f"[{found.low:+.4f}, {found.high:+.4f}], p {found.p:.3f} (these two trained models)"
    ]


if __name__ == "__main__":
    stage(run, Config, "update")
