"""Run the last windows as they would have run, under several clocks, and show what each is worth.

mlflow run . --env-manager local -e backtest -P dataset=online-retail
mlflow run . --env-manager local -e backtest -P prepared=latest -P 'clocks=[never,full:4]'
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from projects import embed_items, update
from recdistill import data_runs, evaluation, reporting, runs, training, updating
from recdistill.config import main_fields
from recdistill.data import OnData, Rolling, prepare_for
from recdistill.errors import UserError
from recdistill.runs import stage
from recdistill.updating import Clock, Replay, UpdateConfig

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data import PreparedData
    from recdistill.runs import Run, RunReference


@main_fields("model_run", "prepared", "windows", "clocks", "n_seeds", "epochs")
@dataclass(frozen=True)
class Config(OnData):
    """Which recipe under which clocks; conf/backtest.yaml says what each knob does and costs."""

    model_run: str = "latest"
    rolling: Rolling = field(default_factory=lambda: Rolling(targets="all"))
    windows: int = 6
    clocks: list[str] = field(default_factory=lambda: ["never", "update", "full"])
    n_seeds: int = 1
    epochs: int = 3
    lr_share: float = 0.5
    replay: Replay = field(default_factory=Replay)
    encoder: str = "tfidf"
    text_dim: int = 64
    place_by_text: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        UpdateConfig(self.epochs, self.lr_share, self.replay)
        for name, least in (("windows", 2), ("n_seeds", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if not self.clocks or len(set(self.clocks)) < len(self.clocks):
            raise UserError(f"clocks is {self.clocks}; name at least one, and none twice.")
        for words in self.clocks:
            Clock(words)

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        return super().unused() - {"rolling"} | {"split", "temporal", "cold_items", "prepared"}


@dataclass(frozen=True)
class Replayed:
    """What the windows are run with."""

    config: Config
    run: Run
    recipe_of: RunReference
    states: list[PreparedData]

    def trained(self, seed: int, window: int, champion: RunReference | None) -> RunReference:
        """Train before a window, in a run of its own: anew, or from a champion on."""
        data, config = self.states[window], self.config
        settings: dict[str, Any] = {
            "dataset": data.dataset, "prepared": str(data.folder), "seed": seed,
            "full": champion is None, "champion_run": (champion or self.recipe_of).id,
            "epochs": config.epochs, "lr_share": config.lr_share, "replay": config.replay,
            "place_by_text": config.place_by_text, "use_cache": config.use_cache,
        }  # fmt: skip
        settings["text_run"] = self.texts(data)
        child = update.Config(**settings)
        with runs.open_run("update", child, parent=self.run.id) as run:
            update.run(child, run)
        return runs.find_run(self.run.client, run.id, stages=("update",))

    def texts(self, data: PreparedData) -> str:
        """Embed the items of a state's catalog, where the student is to have them."""
        item = training.load_recipe(self.recipe_of.artifact("model")).architecture.item
        if item == "id" and not self.config.place_by_text:
            return ""
        child = embed_items.Config(
            dataset=data.dataset, prepared=str(data.folder), encoder=self.config.encoder,
            dim=self.config.text_dim,
        )  # fmt: skip
        with runs.open_run("embed_items", child, parent=self.run.id) as run:
            embed_items.run(child, run)
        return runs.find_run(self.run.client, run.id, stages=("embed_items",)).id


def run(config: Config, run: Run) -> None:
    """Cut the log, run every clock's chain, and report what came of it."""
    config = replace(config, prepared=data_runs.folder_of(config.prepared, run))
    data = prepare_for(config)
    run.log_data(data)
    recipe_of = run.find(config.model_run, *update.CHAMPIONS)
    run.rename(f"{data.dataset}-{config.windows}x{config.rolling.days}d", "backtest")
    inputs = {"split": data.split_digest, "model": recipe_of.id}
    if run.already_done(inputs, use_cache=config.use_cache):
        return
    with run.phase("prepare"):
        states = updating.past_states(data, config.windows, config.rolling)
    replayed = Replayed(config, run, recipe_of, states)
    tables, costs = [], []
    for seed in range(config.seed, config.seed + config.n_seeds):
        for words in config.clocks:
            cases, spent = chain(replayed, Clock(words), seed)
            tables += cases
            costs += spent
    report(run, tables, costs)


def chain(
    replayed: Replayed, clock: Clock, seed: int
) -> tuple[list[pd.DataFrame], list[dict[str, Any]]]:
    """Run one clock from window to window; return the cases of each, and what each cost."""
    tables, costs = [], []
    model = replayed.trained(seed, 1, None)
    for window in range(1, len(replayed.states)):
        data = replayed.states[window]
        step = "full" if window == 1 else clock.step(window - 1)
        if window > 1 and step != "keep":
            model = replayed.trained(seed, window, None if step == "full" else model)
        if step == "keep":
            kept = updating.load_frozen(model.artifact("model"), data.catalog)
            found = evaluation.evaluate(kept, data.test, data.catalog, data.train)
        else:
            found = evaluation.load_evaluation(model.artifact("evaluation"))
        cases = updating.cases_of(replayed.states, window, found.per_user)
        tables.append(cases.assign(clock=clock.words, seed=seed))
        cost = 0.0 if step == "keep" else model.metrics["cpu/fit_seconds"]
        until = data.manifest["config"]["until"]
        spent = {"clock": clock.words, "seed": seed, "window": until, "step": step}
        costs.append(spent | {"cpu_seconds": cost})
    return tables, costs


def report(run: Run, tables: list[pd.DataFrame], costs: list[dict[str, Any]]) -> None:
    """Log the cases, the table by window, the picture, and the tests between clocks."""
    import pandas as pd  # not before the settings are read

    cases = pd.concat(tables, ignore_index=True)
    windows = updating.by_window(cases, pd.DataFrame(costs))
    folder = run.folder / "backtest"
    folder.mkdir()
    cases.to_parquet(folder / "cases.parquet", index=False)
    windows.to_csv(folder / "windows.csv", index=False)
    reporting.draw_clocks(windows, folder / "windows.png")
    told = reporting.clocks_markdown(cases, windows)
    (folder / "report.md").write_text(told, encoding="utf-8")
    run.log_artifact(folder, "backtest")
    run.log_metrics(updating.clock_metrics(cases, windows))
    for words, own in windows.groupby("clock", sort=False):
        for place, ndcg in enumerate(own["ndcg"]):
            run.log_metrics({f"window/{Clock(str(words)).slug}/ndcg_at_10": ndcg}, place)
    run.note(told)
    print(told)


if __name__ == "__main__":
    stage(run, Config, "backtest")
