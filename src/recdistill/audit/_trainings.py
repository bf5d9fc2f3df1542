"""The trainings of an audit: each a run below the audit's own, reused where it is done."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from recdistill.audit._findings import ArmResult
from recdistill.config import as_yaml, stage_module
from recdistill.evaluation import load_evaluation
from recdistill.runs import launch, open_run, run_configured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from recdistill.audit._arms import Arm
    from recdistill.audit._grid import Setting
    from recdistill.audit._plan import AuditPlan
    from recdistill.data import PreparedData
    from recdistill.runs import Run, RunReference
    from recdistill.texts import Encoding

_SPEED = "train/targets_per_cpu_second"


class ArmTrainer:
    """Trains an audit's arms.

    Parameters
    ----------
    run : Run
        The audit's.
    data : PreparedData
    recipe : settings of ``train_baseline``
        Those audited; an arm changes dropout, the items' vectors and the seed.
    plan : AuditPlan
    encoding : Encoding
        How language models encode a text.
    asked_of_data : mapping
        What ``embed_items`` is asked for of the data.
    say : callable
        Receives a sentence now and then.
    """

    def __init__(
        self,
        run: Run,
        data: PreparedData,
        recipe: Any,
        plan: AuditPlan,
        encoding: Encoding,
        asked_of_data: Mapping[str, Any],
        say: Callable[[str], None],
    ) -> None:
        self.run, self.data, self.recipe, self.plan = run, data, recipe, plan
        self.encoding, self.asked_of_data, self.say = encoding, asked_of_data, say
        self._vectors: dict[str, RunReference] = {}
        self._estimated = False

    def choose(self, arm: Arm) -> Setting:
        """Train every setting once and return the best of validation; test data is not read."""
        settings = self.plan.settings(arm)
        if len(settings) == 1:
            return settings[0]
        best = max(settings, key=lambda setting: self._validate(arm, setting))
        self.say(f"{arm.name} takes {best.words()}")
        return best

    def train(self, arm: Arm, setting: Setting) -> ArmResult:
        """Train the chosen setting with every seed; each training meets the test part once."""
        trained, n_trainings = [], self.plan.n_trainings(arm)
        for i in range(n_trainings):
            self.say(f"{arm.name}, training {i + 1} of {n_trainings}")
            recipe = self._recipe(arm, setting, i)
            trained.append(run_configured("train_baseline", recipe, parent=self.run.id))
        return ArmResult(
            arm=arm,
            setting=setting,
            n_tried=len(self.plan.settings(arm)),
            at_edge=self.plan.grid.at_edge(setting),
            val_ndcg=_mean([one.metrics["val/ndcg_at_10"] for one in trained]),
            targets_per_cpu_second=_mean([one.metrics[_SPEED] for one in trained]),
            run_ids=[one.id for one in trained],
            tables=tuple(load_evaluation(one.artifact("evaluation")).per_user for one in trained),
        )

    def _validate(self, arm: Arm, setting: Setting) -> float:
        """Train one setting in this process; the very first epoch says how long all will take."""
        trial = stage_module("trial")
        config = trial.Config(**vars(self._recipe(arm, setting, 0)))
        began = time.monotonic()

        def estimate(metrics: Mapping[str, float], epoch: int) -> None:
            if not self._estimated:
                seconds = (time.monotonic() - began) / epoch
                self.say(self.plan.estimate(seconds, config.max_epochs))
                self._estimated = True

        with open_run("trial", config, parent=self.run.id, tags={"arm": arm.name}) as child:
            child.rename(f"{arm.name}-{setting.dropout:g}", f"s{config.seed}-trial")
            return float(trial.train(config, child, self.data, each_epoch=estimate))

    def _recipe(self, arm: Arm, setting: Setting, i: int) -> Any:
        """Return the audited recipe with an arm's items, for its training number ``i``."""
        return replace(
            self.recipe,
            seed=self.recipe.seed + i,
            student=setting.applied_to(self.recipe.student, arm),
            text_run=self._texts(arm, setting, i).id if arm.has_text else "latest",
        )

    def _texts(self, arm: Arm, setting: Setting, i: int) -> RunReference:
        """Make an arm's vectors, or find them made; drawn ones are drawn for every training."""
        asked = {
            **self.asked_of_data, **asdict(self.encoding), **arm.vectors(i),
            "dim": setting.dim, "reduction": setting.reduction,
        }  # fmt: skip
        settings = as_yaml(asked)
        if settings not in self._vectors:
            file = self.run.folder / "embed_items.yaml"
            file.write_text(settings, encoding="utf-8")
            # In a process of its own: a language model's memory is free again after it.
            self._vectors[settings] = launch(self.run, "embed_items", {"config": file})
        return self._vectors[settings]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
