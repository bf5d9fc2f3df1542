"""What distillation brings, and what each teacher brings, against the published baseline.

    python -m benchmarks.distillation run ml-100k --seeds 5
    python -m benchmarks.distillation run ml-1m-sasrec --seeds 3
    python -m benchmarks.distillation table            # only compute the tables anew

Baseline: ``train_baseline -P preset=full``, whose settings were chosen on validation among sixteen
on ML-100K. Student: the same architecture and item count, the settings of ``STUDENTS``, chosen on
validation with one seed among fewer. Every model meets the test part once. ``run`` is resumable: a
model whose per-user table is in ``benchmarks/results/distillation/`` is not trained again, and
``table`` computes every figure of docs/results.md from those tables.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks import baselines
from benchmarks._teachers import Teachers
from recdistill.data import DataConfig, prepare
from recdistill.distillation import ListwiseConfig, Teaching, TermConfigs, distil_student
from recdistill.evaluation import compare_paired, evaluate

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import Evaluation

RESULTS = Path(__file__).parent / "results" / "distillation"
SCRATCH = Path(tempfile.gettempdir()) / "recdistill-distillation-benchmark"
LONGEST_LIST = 50
FLOORS = "ease+knn+counter"


@dataclass(frozen=True)
class Setting:
    """How a data set's teachers and students are trained."""

    n_folds: int
    member_epochs: tuple[int, int]  # fitted on all users, and without a fold
    max_epochs: int
    dropout: float
    weight: float
    teachers: tuple[str, ...]


SETTINGS = {
    "ml-100k": Setting(
        5, (16, 16), 16, 0.3, 1.0, (FLOORS, f"sasrec+{FLOORS}", f"sasrec+gru4rec+{FLOORS}")
    ),
    "ml-1m-sasrec": Setting(3, (12, 8), 14, 0.15, 2.0, (f"sasrec+{FLOORS}",)),
}


class Bench:
    """One data set: its teachers, its students, and the tables so far."""

    def __init__(self, dataset: str) -> None:
        self.setting = SETTINGS[dataset]
        self.data: PreparedData = prepare(DataConfig(dataset=dataset))
        self.folder = RESULTS / dataset
        self.folder.mkdir(parents=True, exist_ok=True)
        self.teachers = Teachers(
            self.data, SCRATCH / dataset, self.setting.n_folds, self.setting.member_epochs
        )

    def done(self, name: str) -> bool:
        """Say whether a model has been tested."""
        return (self.folder / f"{name}.parquet").exists()

    def keep(self, name: str, evaluation: Evaluation, facts: dict[str, Any]) -> None:
        """Write a model's ranks and what is known of its training."""
        table = evaluation.per_user[baselines.KEPT]
        metrics = evaluation.metrics()
        facts |= {m: metrics[m] for m in ("recall_at_10", "ndcg_at_10")}
        print(name, facts, flush=True)
        (self.folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
        table.to_parquet(self.folder / f"{name}.parquet", compression="zstd")

    def test(self, model: Any) -> Evaluation:
        """Rank the test targets."""
        return evaluate(model, self.data.test, self.data.catalog, self.data.train)

    def baseline(self, seed: int) -> None:
        """Train a baseline as the stage does; the published ones are taken as they are."""
        name = f"baseline-s{seed}"
        published = baselines.RESULTS / self.data.dataset / f"sasrec-s{seed}.parquet"
        if self.done(name) or published.exists():
            return
        model = baselines.train(baselines.settings(self.data.dataset, "sasrec", seed), self.data)
        self.keep(name, self.test(model), {})

    def teacher(self, teacher: str) -> None:
        """Test the members fitted on all users, as one recommender."""
        name = f"teacher-{teacher}"
        if self.done(name):
            return
        kinds = teacher.split("+")
        weights, loss = self.teachers.weigh(kinds)
        together = self.teachers.together(kinds)
        val = evaluate(together, self.data.val, self.data.catalog, self.data.train).metrics()
        facts = {"weights": dict(zip(kinds, weights, strict=True)), "held_out_loss": loss}
        self.keep(name, self.test(together), facts | {"val_ndcg_at_10": val["ndcg_at_10"]})

    def student(self, teacher: str, seed: int) -> None:
        """Distil one student and test it."""
        name = f"student-{teacher}-s{seed}"
        if self.done(name):
            return
        setting = self.setting
        recipe = baselines.settings(self.data.dataset, "sasrec", seed).recipe("sasrec")
        recipe = replace(
            recipe,
            architecture=replace(recipe.architecture, dropout=setting.dropout),
            loss=replace(recipe.loss, label_smoothing=0.0),
            loop=replace(recipe.loop, max_epochs=setting.max_epochs),
        )
        lessons = self.teachers.lessons(teacher.split("+"), LONGEST_LIST)
        lessons = replace(lessons, items=lessons.items[:, :10], logits=lessons.logits[:, :10])
        teaching = Teaching(
            lessons,
            {"listwise": setting.weight},
            TermConfigs(listwise=ListwiseConfig()),
            inspect_every=0,
        )
        started = time.process_time()
        fitted = distil_student(
            recipe, teaching, self.data, seed=seed, checkpoint_folder=SCRATCH / name
        )
        facts = {
            "val_ndcg_at_10": fitted.result.best["val/ndcg_at_10"],
            "best_epoch": fitted.result.best["epoch"],
            "cpu_seconds": round(time.process_time() - started),
        }
        self.keep(name, self.test(fitted.recommender), facts)

    def tables(self, model: str) -> list[pd.DataFrame]:
        """Read every seed's ranks of a model."""
        files = sorted(self.folder.glob(f"{model}-s*.parquet"))
        if model == "baseline":
            files += sorted((baselines.RESULTS / self.data.dataset).glob("sasrec-s*.parquet"))
        if model.startswith("teacher"):
            files = [self.folder / f"{model}.parquet"]
        # Whose target was which item may not be redistributed; each file's digest stands for it.
        return [pd.read_parquet(file).assign(target=0) for file in files if file.exists()]

    def table(self) -> str:
        """Compute the result table in Markdown."""
        lines = [
            "| model | seeds | recall@10 | NDCG@10 | ΔNDCG@10 to the baseline [95 %] | p NDCG "
            "| p recall |",
            "|---|---|---|---|---|---|---|",
        ]
        base = self.tables("baseline")
        names = ["baseline"]
        names += [f"{what}-{t}" for t in self.setting.teachers for what in ("teacher", "student")]
        for name in names:
            tables = self.tables(name)
            if not tables:
                continue
            ndcg = compare_paired(tables, base, metric="ndcg")
            recall = compare_paired(tables, base, metric="recall")
            row = [name.replace("-", " of ", 1), str(ndcg.n_seeds_a)]
            row += [f"{recall.value_a:.4f}", f"{ndcg.value_a:.4f}"]
            if name == "baseline":
                row += ["", "", ""]
            else:
                relative = 100 * ndcg.delta / ndcg.value_b
                interval = f"[{ndcg.low:+.4f}, {ndcg.high:+.4f}]"
                row += [f"{ndcg.delta:+.4f} ({relative:+.1f} %) {interval}"]
                row += [f"{ndcg.p:.4f}", f"{recall.p:.4f}"]
            lines.append("| " + " | ".join(row) + " |")
        return "\n".join(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("datasets", nargs="*", default=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    for dataset in options.datasets:
        bench = Bench(dataset)
        if options.what == "run":
            for teacher in bench.setting.teachers:
                bench.teacher(teacher)
                for seed in range(options.seeds):
                    bench.baseline(seed)
                    bench.student(teacher, seed)
        text = bench.table()
        (RESULTS / f"{dataset}.md").write_text(text + "\n")
        print(text)


if __name__ == "__main__":
    main()
