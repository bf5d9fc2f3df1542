"""Run the last windows as they would have run, under several clocks, and show what each is worth.

mlflow run . --env-manager local -e backtest -P dataset=online-retail
mlflow run . --env-manager local -e backtest -P prepared=latest -P 'clocks=[never,full:4]'
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from projects import embed_items, make_transfer_set, train_baseline, update
from recdistill import data_runs, encoders, reporting, runs, training, updating
from recdistill.config import main_fields, part_of
from recdistill.data import OnData, Rolling, prepare_for
from recdistill.errors import UserError
from recdistill.floors import FLOOR_KINDS
from recdistill.runs import stage
from recdistill.updating import Clock, UpdateConfig

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import Run, RunReference
    from recdistill.updating import Step


@main_fields("model_run", "prepared", "windows", "clocks", "n_seeds", "epochs")
@dataclass(frozen=True)
class Config(UpdateConfig, OnData):
    """Which recipe under which clocks; conf/backtest.yaml says what each knob does and costs."""

    model_run: str = "latest"
    rolling: Rolling = field(default_factory=lambda: Rolling(targets="all"))
    windows: int = 6
    clocks: list[str] = field(default_factory=lambda: ["never", "update", "full"])
    n_seeds: int = 1
    encoder: str = "tfidf"
    text_dim: int = 64
    place_by_text: bool = False
    teachers: list[str] = field(default_factory=lambda: ["counter", "ease"])
    n_views: int = 4

    def __post_init__(self) -> None:
        UpdateConfig.__post_init__(self)
        OnData.__post_init__(self)
        for name, least in (("windows", 2), ("n_seeds", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if not self.clocks or len(set(self.clocks)) < len(self.clocks):
            raise UserError(f"clocks is {self.clocks}; name at least one, and none twice.")
        for words in self.clocks:
            Clock(words)
        unknown = [name for name in self.teachers if name not in FLOOR_KINDS]
        if unknown or not self.teachers:
            raise UserError(
                f"teachers is {self.teachers}; name one at least, of {', '.join(FLOOR_KINDS)}."
            )

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        unused = {"split", "temporal", "cold_items", "prepared"}
        if not any("distil" in words for words in self.clocks):
            unused |= {"teachers", "n_views"}
        return super().unused() - {"rolling"} | unused


def run(config: Config, run: Run) -> None:
    """Cut the log, run every clock's chain, and report what came of it."""
    config = replace(config, prepared=data_runs.folder_of(config.prepared, run))
    data = prepare_for(config)
    run.log_data(data)
    recipe_of = run.find(config.model_run, *update.CHAMPIONS)
    run.rename(f"{data.dataset}-{config.windows}x{config.rolling.days}d", "backtest")
    inputs = data.inputs() | {"model": recipe_of.id} | encoders.encoder_input(config.encoder)
    if run.already_done(inputs, use_cache=config.use_cache):
        return
    with run.phase("prepare"):
        states = updating.past_states(data, config.windows, config.rolling)

    def train(
        seed: int, window: int, step: Step, going_on: RunReference | None
    ) -> tuple[RunReference, float]:
        return trained(config, run, states[window], seed, step, going_on or recipe_of)

    seeds = range(config.seed, config.seed + config.n_seeds)
    cases, windows = updating.run_clocks(states, map(Clock, config.clocks), seeds, train)
    told = reporting.write_backtest(cases, windows, run.folder / "backtest")
    run.log_artifact(run.folder / "backtest", "backtest")
    run.log_metrics(updating.clock_metrics(cases, windows))
    for words, own in windows.groupby("clock", sort=False):
        for place, ndcg in enumerate(own["ndcg"]):
            run.log_metrics({f"window/{Clock(str(words)).slug}/ndcg_at_10": ndcg}, place)
    run.note(told)
    print(told)


def trained(
    config: Config, run: Run, data: PreparedData, seed: int, step: Step, model: RunReference
) -> tuple[RunReference, float]:
    """Train before a window, in a run of its own; return it with the CPU seconds of it all."""
    lessons_of = taught(config, run, data, seed) if step == "distil" else []
    settings: dict[str, Any] = {
        "dataset": data.dataset, "prepared": str(data.folder), "seed": seed,
        "full": step != "update", "champion_run": model.id,
        "place_by_text": config.place_by_text, "use_cache": config.use_cache,
        "transfer_run": lessons_of[-1].id if lessons_of else "",
        **vars(part_of(config, UpdateConfig)),
    }  # fmt: skip
    item = training.load_recipe(model.artifact("model")).architecture.item
    with_texts = item != "id" or config.place_by_text
    settings["text_run"] = embedded(config, run, data) if with_texts else ""
    made = runs.run_configured("update", update.Config(**settings), parent=run.id)
    worked = [one.metrics for one in (*lessons_of, made)]
    phases = ("fit", "weigh", "label")
    return made, sum(one.get(f"cpu/{name}_seconds", 0.0) for one in worked for name in phases)


def taught(config: Config, run: Run, data: PreparedData, seed: int) -> list[RunReference]:
    """Fit the teachers on a state and ask them about views of it; the last is the transfer set."""
    shared: dict[str, Any] = {"dataset": data.dataset, "prepared": str(data.folder)}
    asked = [train_baseline.Config(model=kind, **shared) for kind in config.teachers]
    teachers = [runs.run_configured("train_baseline", one, parent=run.id) for one in asked]
    names = ",".join(one.id for one in teachers)
    views = make_transfer_set.Config(teacher_run=names, n_views=config.n_views, seed=seed, **shared)
    return [*teachers, runs.run_configured("make_transfer_set", views, parent=run.id)]


def embedded(config: Config, run: Run, data: PreparedData) -> str:
    """Embed the items of a state's catalog; return the run's id."""
    asked = embed_items.Config(
        dataset=data.dataset, prepared=str(data.folder), encoder=config.encoder,
        dim=config.text_dim,
    )  # fmt: skip
    return runs.run_configured("embed_items", asked, parent=run.id).id


if __name__ == "__main__":
    stage(run, Config, "backtest")
