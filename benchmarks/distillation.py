"""What distillation brings, and what each teacher brings, against the published baseline.

    python -m benchmarks.distillation run ml-100k --seeds 5
    python -m benchmarks.distillation run ml-1m-sasrec --seeds 3
    python -m benchmarks.distillation table            # only compute the tables anew
    python -m benchmarks.distillation tune ml-100k     # how the students' settings were chosen

Baseline: ``train_baseline -P preset=full``, its settings chosen among sixteen on ML-100K's
validation. Student: the same architecture, item count, optimizer and schedule; what differs is in
``SETTINGS``, chosen by ``tune`` one step earlier in time: there the last training item validates
and the validation item is tested, so that nothing of the real test part is seen. Every model meets
the test part once. ``run`` is resumable: a model whose per-user table is in
``benchmarks/results/distillation/`` is not trained again, and ``table`` computes every figure of
docs/results.md from those tables.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks import baselines
from recdistill.data import Cases, DataConfig, Sequences, prepare
from recdistill.distillation import Teaching, distil_student
from recdistill.evaluation import compare_paired, evaluate
from recdistill.floors import FLOOR_KINDS, fit_floor
from recdistill.lessons import (
    Lessons,
    Pool,
    ViewsConfig,
    draw_views,
    label_views,
    load_transfer_set,
    save_transfer_set,
    weigh_on_validation,
)
from recdistill.students import load_model, save_model

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.evaluation import Evaluation, Metric, Recommender

RESULTS = Path(__file__).parent / "results" / "distillation"
DOCS = Path(__file__).parents[1] / "docs"
PAGE, METHOD_PAGE = DOCS / "results.md", DOCS / "research" / "function_matching.md"
SCRATCH = Path(tempfile.gettempdir()) / "recdistill-distillation"
MEMBER_SEED = 100  # of networks that teach: none is any student's own baseline
LANGUAGE_MODELS = ("pretrained", "random")


@dataclass(frozen=True)
class Setting:
    """How a data set's teachers and students are trained.

    Attributes
    ----------
    teachers : dict of name to members
        A member is a floor, a network (with ``@seed``), or a language model.
    views : ViewsConfig
    taught : StudentSetting
    member_epochs : dict
        Networks that teach after fewer epochs than the baseline's.
    """

    teachers: dict[str, tuple[str, ...]]
    views: ViewsConfig
    taught: StudentSetting
    member_epochs: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StudentSetting:
    """Where a student's training differs from its baseline's; labels are not smoothed.

    Attributes
    ----------
    max_epochs : int
        Over the transfer set.
    dropout : float
    loss_weight : float
        Of the labels' cross-entropy beside the teachers' lists, which weigh 1.
    """

    max_epochs: int
    dropout: float = 0.0
    loss_weight: float = 0.3


FLOORS = ("ease", "knn", "counter")
NETWORKS = ("sasrec@100", "gru4rec@100")
SETTINGS = {
    "ml-100k": Setting(
        {
            "networks and floors": (*NETWORKS, *FLOORS),
            "floors": FLOORS,
            "language model": ("pretrained",),
            "all": (*NETWORKS, *FLOORS, "pretrained"),
            "all, language model random": (*NETWORKS, *FLOORS, "random"),
        },
        ViewsConfig(n_views=12),
        StudentSetting(max_epochs=4),
    ),
    "ml-1m-sasrec": Setting(
        {"networks and floors": ("sasrec@100", "sasrec@101", "gru4rec@100", "counter", "ease")},
        ViewsConfig(n_views=4),
        StudentSetting(max_epochs=6),
        member_epochs={"sasrec@100": 12, "sasrec@101": 12, "gru4rec@100": 8},
    ),
}
TOP_K = 30
UNTAUGHT = "untaught-on-views"
METRICS: dict[Metric, str] = {"ndcg": "NDCG@10", "recall": "recall@10"}
TUNED = [
    StudentSetting(max_epochs=2, dropout=0.1),
    StudentSetting(max_epochs=6, dropout=0.1),
    StudentSetting(max_epochs=4, dropout=0.1, loss_weight=0.0),
    StudentSetting(max_epochs=4),
    StudentSetting(max_epochs=4, loss_weight=1.0),
    StudentSetting(max_epochs=8),
]


class Bench:
    """One data set: its teachers, its students, and the tables so far."""

    def __init__(self, data: PreparedData, scratch: Path) -> None:
        self.setting, self.data, self.scratch = SETTINGS[data.dataset], data, scratch
        self.folder = RESULTS / data.dataset
        self._members: dict[str, Recommender] = {}

    def member(self, name: str) -> Recommender:
        """Fit a teacher's member on the whole training part, or find it fitted."""
        if name not in self._members:
            self._members[name] = self._fit(name)
        return self._members[name]

    def _fit(self, name: str) -> Recommender:
        if name in FLOOR_KINDS:
            config = baselines.settings(self.data.dataset, name, 0)
            return fit_floor(name, self.data.train, self.data.catalog, getattr(config, name, None))
        if name in LANGUAGE_MODELS:
            from benchmarks import teacher_quality

            return teacher_quality.fitted(self.data, name, 0)[0]
        kind, _, seed = name.partition("@")
        folder = self.scratch / name
        if not (folder / "config.json").exists():
            print(f"  fitting {name}", flush=True)
            config = baselines.settings(self.data.dataset, kind, int(seed))
            epochs = self.setting.member_epochs.get(name, config.max_epochs)
            config = replace(config, max_epochs=epochs)
            save_model(baselines.train(config, self.data), folder)
        return load_model(folder, self.data.catalog)

    def pool(self, teacher: str) -> tuple[Pool, dict[str, Any]]:
        """Weigh a teacher's members on validation."""
        names = self.setting.teachers[teacher]
        members = [self.member(name) for name in names]
        weights = (1.0,)
        if len(members) > 1:
            weights = weigh_on_validation(members, self.data)[0]
        facts = {"weights": dict(zip(names, (round(w, 4) for w in weights), strict=True))}
        return Pool(members, weights, self.data.catalog.digest), facts

    def transfer_set(self, teacher: str) -> Lessons:
        """Ask a teacher about every view, or find what it said."""
        folder = self.scratch / file_name("transfer", teacher)
        if not (folder / "manifest.json").exists():
            print(f"  asking: {teacher}", flush=True)
            together, _ = self.pool(teacher)
            started = time.process_time()
            views = draw_views(self.data.train, self.setting.views, seed=0)
            made = label_views(together, views, self.data, k=TOP_K)
            print(f"  asked in {time.process_time() - started:.0f} CPU seconds", flush=True)
            save_transfer_set(made, folder, self.data)
        return load_transfer_set(folder, self.data)

    def distilled(
        self, teacher: str, seed: int, taught: StudentSetting
    ) -> tuple[Recommender, dict[str, Any]]:
        """Train a student of the baseline's shape on a teacher's transfer set."""
        recipe = baselines.settings(self.data.dataset, "sasrec", seed).recipe("sasrec")
        recipe = replace(
            recipe,
            architecture=replace(recipe.architecture, dropout=taught.dropout),
            loss=replace(recipe.loss, label_smoothing=0.0),
            loop=replace(recipe.loop, max_epochs=taught.max_epochs, validate_every=1),
        )
        made = self.transfer_set(teacher)
        teaching = Teaching(
            made,
            {"listwise": 1.0},
            loss_weight=taught.loss_weight,
            inspect_every=0,
        )
        started = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            fitted = distil_student(
                recipe, teaching, self.data, seed=seed, checkpoint_folder=Path(folder)
            )
        return fitted.recommender, {
            "val_ndcg_at_10": fitted.result.best["val/ndcg_at_10"],
            "best_epoch": fitted.result.best["epoch"],
            "cpu_seconds": round(time.process_time() - started),
        }

    def untaught(self, seed: int) -> tuple[Recommender, dict[str, Any]]:
        """Train the baseline on the same views, for as many epochs, with nobody's lists."""
        config = baselines.settings(self.data.dataset, "sasrec", seed)
        config = replace(config, max_epochs=self.setting.taught.max_epochs, validate_every=1)
        views = draw_views(self.data.train, self.setting.views, seed=0).sequences
        return baselines.train(config, replace(self.data, train=views)), {}

    def test(self, model: Recommender) -> Evaluation:
        """Rank the test targets."""
        return evaluate(model, self.data.test, self.data.catalog, self.data.train)

    def run(self, n_seeds: int) -> None:
        """Train and test what has no table yet, the teachers in order."""
        for seed in range(n_seeds):
            self.baseline(seed)
        for teacher in self.setting.teachers:
            if not self.done(file_name("teacher", teacher)):
                together, facts = self.pool(teacher)
                val = evaluate(together, self.data.val, self.data.catalog, self.data.train)
                facts["val_ndcg_at_10"] = val.metrics()["ndcg_at_10"]
                self.keep(file_name("teacher", teacher), self.test(together), facts)
            for seed in range(n_seeds):
                name = f"{file_name('student', teacher)}-s{seed}"
                if not self.done(name):
                    student, facts = self.distilled(teacher, seed, self.setting.taught)
                    self.keep(name, self.test(student), facts)
        self.control(n_seeds)

    def control(self, n_seeds: int) -> None:
        """Train and test the baseline on views, without any teacher."""
        for seed in range(n_seeds):
            if not self.done(f"{UNTAUGHT}-s{seed}"):
                student, facts = self.untaught(seed)
                self.keep(f"{UNTAUGHT}-s{seed}", self.test(student), facts)

    def baseline(self, seed: int) -> None:
        """Train a baseline as the stage does; the published ones are taken as they are."""
        name = f"baseline-s{seed}"
        published = baselines.RESULTS / self.data.dataset / f"sasrec-s{seed}.parquet"
        if not self.done(name) and not published.exists():
            config = baselines.settings(self.data.dataset, "sasrec", seed)
            self.keep(name, self.test(baselines.train(config, self.data)), {})

    def done(self, name: str) -> bool:
        """Say whether a model has been tested."""
        return (self.folder / f"{name}.parquet").exists()

    def keep(self, name: str, evaluation: Evaluation, facts: dict[str, Any]) -> None:
        """Write a model's ranks and what is known of its training."""
        self.folder.mkdir(parents=True, exist_ok=True)
        table = evaluation.per_user[baselines.KEPT]
        metrics = evaluation.metrics()
        facts |= {m: metrics[m] for m in ("recall_at_10", "ndcg_at_10")}
        print(name, facts, flush=True)
        (self.folder / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")
        table.to_parquet(self.folder / f"{name}.parquet", compression="zstd")


def file_name(what: str, teacher: str) -> str:
    """Name a model's files."""
    return f"{what}-{teacher.replace(',', '').replace(' ', '-')}"


def earlier(data: PreparedData) -> PreparedData:
    """Take one step back in time: validate on the last training item, test on validation."""
    train = data.train
    users = np.array([u for u in data.val.users if train.lengths[u] >= 3])
    shorter = set(users.tolist())
    targets = dict(zip(data.val.users.tolist(), data.val.targets.tolist(), strict=True))
    rows = [train.row(user) for user in range(len(train))]
    before = [row[:-1] if user in shorter else row for user, row in enumerate(rows)]
    val = Sequences.from_lists(before[user] for user in users)
    newest = np.array([rows[user][-1] for user in users], np.int32)
    tested = np.array([targets[user] for user in users.tolist()], np.int32)
    return replace(
        data,
        train=Sequences.from_lists(before),
        val=Cases(users, val, newest),
        test=Cases(users, train.take(users), tested),
        manifest=data.manifest | {"split_digest": f"earlier-{data.split_digest}"},
    )


def tune(dataset: str, n_seeds: int) -> None:
    """Try the students' settings one step earlier; the table says what was tried."""
    data = earlier(prepare(DataConfig(dataset=dataset)))
    bench = Bench(data, SCRATCH / f"{dataset}-earlier")
    teacher = "networks and floors"
    lines = ["| epochs | dropout | labels | NDCG@10 | recall@10 |", "|---|---|---|---|---|"]
    config = [baselines.settings(dataset, "sasrec", seed) for seed in range(n_seeds)]
    found = [bench.test(baselines.train(c, data)).metrics() for c in config]
    rows: list[tuple[str, list[Any]]] = [("| baseline | | |", found)]
    found = [bench.test(bench.untaught(seed)[0]).metrics() for seed in range(n_seeds)]
    rows.append(("| baseline on views | | |", found))
    for taught in TUNED:
        found = [
            bench.test(bench.distilled(teacher, seed, taught)[0]).metrics()
            for seed in range(n_seeds)
        ]
        rows.append((f"| {taught.max_epochs} | {taught.dropout} | {taught.loss_weight} |", found))
        print(rows[-1][0], [m["ndcg_at_10"] for m in found], flush=True)
    for what, found in rows:
        means = [np.mean([m[name] for m in found]) for name in ("ndcg_at_10", "recall_at_10")]
        lines.append(f"{what} {means[0]:.4f} | {means[1]:.4f} |")
    text = "\n".join(lines)
    (RESULTS / f"{dataset}-tuning.md").write_text(text + "\n")
    print(text)


def tables(dataset: str, model: str) -> list[pd.DataFrame]:
    """Read every seed's ranks of a model."""
    folder = RESULTS / dataset
    files = sorted(folder.glob(f"{model}-s[0-9].parquet"))
    if model == "baseline":
        files += sorted((baselines.RESULTS / dataset).glob("sasrec-s*.parquet"))
    if model.startswith("teacher"):
        files = [folder / f"{model}.parquet"]
    # Whose target was which item may not be redistributed; each file's digest stands for it.
    return [pd.read_parquet(file).assign(target=0) for file in files if file.exists()]


def table(dataset: str) -> str:
    """Compute a data set's table in Markdown."""
    lines = [
        "| model | seeds | recall@10 | NDCG@10 | ΔNDCG@10 to the baseline [95 %] | p (NDCG) "
        "| p (recall) |",
        "|---|---|---|---|---|---|---|",
    ]
    base = tables(dataset, "baseline")
    named = {"baseline": "baseline", UNTAUGHT: "baseline on the same views"}
    # Attempts that met the test part stay in the table, under the settings they had.
    for teacher in SETTINGS[dataset].teachers:
        named |= {file_name("teacher", teacher): f"teachers: {teacher}"}
        named |= {file_name("student", teacher): f"**student** of {teacher}"}
    for file in sorted((RESULTS / dataset).glob("student-tried-*-s0.parquet")):
        tried = file.stem.removesuffix("-s0")
        named |= {tried: f"tried: {tried.removeprefix('student-tried-').replace('-', ' ')}"}
    for model, said in named.items():
        ranks = tables(dataset, model)
        if not ranks:
            continue
        ndcg = compare_paired(ranks, base, metric="ndcg")
        recall = compare_paired(ranks, base, metric="recall")
        row = [said, str(len(ranks)), f"{recall.value_a:.4f}", f"{ndcg.value_a:.4f}"]
        if model == "baseline":
            row += ["", "", ""]
        else:
            relative = 100 * ndcg.delta / ndcg.value_b
            interval = f"[{ndcg.low:+.4f}, {ndcg.high:+.4f}]"
            row += [f"{ndcg.delta:+.4f} ({relative:+.1f} %) {interval}"]
            row += [f"{ndcg.p:.4f}", f"{recall.p:.4f}"]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join([*lines, "", *beside_others(dataset)]).strip()


def beside_others(dataset: str) -> list[str]:
    """Say how the first student does beside its teachers, and beside a baseline on its views."""
    first = next(iter(SETTINGS[dataset].teachers))
    student = tables(dataset, file_name("student", first))
    others = {
        "its teachers": tables(dataset, file_name("teacher", first)),
        "the baseline on the same views": tables(dataset, UNTAUGHT),
    }
    lines = []
    for said, ranks in others.items():
        if not student or not ranks:
            continue
        words = []
        for metric, name in METRICS.items():
            test = compare_paired(student, ranks, metric=metric)
            interval = f"[{test.low:+.4f}, {test.high:+.4f}]"
            words.append(f"{name} {test.delta:+.4f} {interval}, p = {test.p:.4f}")
        lines.append(f"- The first student beside {said}: {'; '.join(words)}.")
    return lines


def write_pages() -> None:
    """Put the tables between their marks in the documentation."""
    for dataset in SETTINGS:
        if tables(dataset, "baseline"):
            put(PAGE, f"distillation {dataset}", table(dataset))
        tuning = RESULTS / f"{dataset}-tuning.md"
        if tuning.exists():
            put(METHOD_PAGE, f"tuning {dataset}", tuning.read_text().strip())


def put(page: Path, mark: str, text: str) -> None:
    """Put a table between its marks on a page, if it has them."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = page.read_text().partition(begin)
    if found:
        page.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}")
        print(f"{mark}\n{text}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table", "tune"])
    parser.add_argument("datasets", nargs="*", default=list(SETTINGS))
    parser.add_argument("--seeds", type=int, default=0, help="default: 5, or 2 to tune")
    options = parser.parse_args()
    for dataset in options.datasets:
        if options.what == "run":
            data = prepare(DataConfig(dataset=dataset))
            Bench(data, SCRATCH / dataset).run(options.seeds or 5)
        if options.what == "tune":
            tune(dataset, options.seeds or 2)
    write_pages()


if __name__ == "__main__":
    main()
