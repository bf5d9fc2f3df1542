"""Let a finished model go on with what happened since it was trained, or train it anew.

mlflow run . --env-manager local -e update -P champion_run=latest
mlflow run . --env-manager local -e update -P champion_run=sasrec-s0-baseline -P full=true
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill import (
    data_runs,
    distillation,
    floors,
    lessons,
    results,
    students,
    text_runs,
    training,
    updating,
)
from recdistill.config import main_fields, part_of
from recdistill.data import OnData, prepare_for
from recdistill.evaluation import p_words
from recdistill.runs import stage
from recdistill.updating import UpdateConfig

if TYPE_CHECKING:
    from recdistill.evaluation import Evaluation, Recommender
    from recdistill.runs import Run, RunReference
    from recdistill.students import ItemKind
    from recdistill.texts import ItemVectors
    from recdistill.training import FittedStudent
    from recdistill.updating import Champion

CHAMPIONS = ("train_baseline", "distill", "update")


@main_fields("champion_run", "prepared", "full", "epochs", "lr_share", "text_run", "transfer_run")
@dataclass(frozen=True)
class Config(UpdateConfig, OnData):
    """Which model goes on, with what; conf/update.yaml says what each knob does and costs."""

    champion_run: str = "latest"
    prepared: str = "latest"
    full: bool = False
    text_run: str = "latest"
    transfer_run: str = ""
    place_by_text: bool = False

    def __post_init__(self) -> None:
        UpdateConfig.__post_init__(self)
        OnData.__post_init__(self)

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        unused = set()
        if self.full:
            unused = {"place_by_text"} | {one.name for one in fields(UpdateConfig)}
        if self.transfer_run:
            unused |= {"replay", "new_times"}  # what is trained on are the transfer set's views
        return super().unused() | unused | {"prepared", "text_run"}


def run(config: Config, run: Run) -> None:
    """Go on, or train anew; evaluate once, beside the champion as it was."""
    found = run.find(config.champion_run, *CHAMPIONS)
    students.require_no_times(
        found.tags.get("query_time", "none"), f"Run '{found.name}' ({found.id[:8]})", "updated"
    )
    data = prepare_for(replace(config, prepared=data_runs.folder_of(config.prepared, run)))
    run.log_data(data)
    # What it came from would only repeat itself from night to night; the day tells nights apart.
    until = data.manifest["config"].get("until", "")
    label = f"{found.tags.get('model', found.name)}{until and f'-{until}'}"
    run.rename(label, f"s{config.seed}-{'anew' if config.full else 'update'}")
    champion = updating.Champion(found.name, found.artifact("model"), data)
    texts = text_runs.find_texts(config.text_run, needed_texts(config, champion), run, data)
    kept = {name: found.tags[name] for name in ("model",) if name in found.tags}
    run.set_tags({"champion_run_id": found.id} | texts.tags() | kept)
    inputs = data.inputs() | {"champion": found.id} | texts.inputs()
    taught_by = None
    if config.transfer_run:
        taught_by = run.find(config.transfer_run, "make_transfer_set", data=data)
        run.set_tags({"transfer_run_id": taught_by.id})
        inputs |= {"transfer": taught_by.id}
    if run.already_done(inputs, use_cache=config.use_cache):
        return

    if champion.is_floor:
        with run.phase("fit"):
            floor = champion.counted_on()
        model: Recommender = floor
        floors.save_model(floor, run.folder / "model", split_digest=data.split_digest)
        n_epochs = 0
    else:
        if found.stage == "distill" and not taught_by:
            print(f"{found.name} was distilled: this training has its recipe, not its lessons.")
        fitted = train(config, run, champion, texts.vectors(data), taught_by)
        model = student = results.learn_new_item_shift(run, fitted.recommender, data)
        students.save_model(student, run.folder / "model")
        training.save_recipe(champion.recipe, run.folder / "model")
        n_epochs = fitted.result.n_epochs
    run.log_artifact(run.folder / "model", "model")
    test = results.log_evaluation(run, model, data, step=n_epochs, brief=champion.is_floor)
    words = [results.result_sentence(run.name(), test), *beside(run, test, champion)]
    run.note("\n\n".join(words))
    print("\n".join(words))


def needed_texts(config: Config, champion: Champion) -> ItemKind:
    """Say what the items are made of, as far as it asks for their texts."""
    if champion.is_floor:
        return "id"
    return "text" if config.place_by_text and not config.full else champion.recipe.architecture.item


def train(
    config: Config,
    run: Run,
    champion: Champion,
    vectors: ItemVectors | None,
    taught_by: RunReference | None,
) -> FittedStudent:
    """Train the champion's student on, or another one by its recipe."""
    recipe, data = champion.recipe, champion.data
    how: dict[str, Any] = {
        "seed": config.seed,
        "vectors": vectors,
        "log": run.log_metrics,
        "checkpoint_folder": Path(run.checkpoint_folder),
    }
    with run.phase("fit"):
        said = None
        if taught_by:
            said = lessons.load_transfer_set(taught_by.artifact("transfer_set"), data)
        if config.full:
            fitted = (
                distillation.distil_on_views(recipe, said, data, **how)
                if said
                else training.fit_student(recipe, data, **how)
            )
            run.log_metrics(fitted.metrics())
            return fitted
        student, _ = students.read_student(champion.folder)
        before = champion.trained_on()
        updated = updating.update_student(
            student, recipe, before, data, part_of(config, UpdateConfig), lessons=said, **how
        )
        run.log_metrics(updated.metrics())
        return updated.fitted


def beside(run: Run, test: Evaluation, champion: Champion) -> list[str]:
    """Log and say how far the model is ahead of the champion as it was."""
    found = champion.beside(test)
    if found is None:
        return []
    run.log_metrics(
        {
            "champion/test/ndcg_at_10": found.value_b,
            "delta/ndcg_at_10_vs_champion": found.delta,
            "p/ndcg_at_10_vs_champion": found.p,
        }
    )
    return [
        f"NDCG@10 against the champion as it was ({found.value_b:.4f}): {found.delta:+.4f} "
        f"[{found.low:+.4f}, {found.high:+.4f}], {p_words(found.p)} (these two trained models)"
    ]


if __name__ == "__main__":
    stage(run, Config, "update")
