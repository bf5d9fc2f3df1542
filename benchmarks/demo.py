"""What the demo took and found, as it wrote that down itself.

    make demo
    python -m benchmarks.demo           # keeps the newest as docs/assets/demo.json, writes pages
    python -m benchmarks.demo --busy    # as demo_busy.json: one of a machine that had other work

Nothing is measured here. The demo reads that file to say beforehand what its steps will take.
"""

from __future__ import annotations

import argparse
import json
from statistics import mean
from typing import Any

from mlflow import MlflowClient
from mlflow.artifacts import load_dict

from benchmarks.pages import ROOT, Block
from recdistill.evaluation import holm, p_words
from recdistill.reporting import ALPHA
from recdistill.runs import newest_of

RESULT = ROOT / "docs" / "assets" / "demo.json"
BUSY = RESULT.with_name("demo_busy.json")
# The step whose end a step of this kind waits for; several of a kind are ready with the first.
AFTER = {"floors": "data", "baseline": "data", "network": "data", "teacher": "baseline",
         "transfer": "floors", "student": "transfer", "control": "transfer"}  # fmt: skip
ORDER = ("data", "floors", "baseline", "network", "teacher", "transfer", "student", "control")
NAMES = {
    "data": "prepare the data",
    "texts": "read the items' texts",
    "floors": "count the floors",
    "baseline": "train a baseline",
    "beside": "train a network beside it",
    "network": "train a network that teaches",
    "teacher": "adapt a language model",
    "transfer": "ask the teachers together",
    "student": "train a student",
    "control": "train a control",
    "comparison": "compare everything",
}

IN_JAPANESE = {
    "data": "データの準備",
    "floors": "単純なモデル五つ",
    "baseline": "ベースラインの学習",
    "teacher": "言語モデルの適応",
    "transfer": "教師たちへの質問",
    "student": "生徒の学習",
    "control": "対照の学習",
    "comparison": "比較",
}


def quiet_seconds(record: dict[str, Any], n_cores: int = 2) -> float:
    """Compute the wall seconds on quiet cores: a step on each of them, at its CPU seconds.

    A step that was measured on a busy machine took, if anything, more than on a quiet one.
    """
    steps = sorted(
        (step for step in record["steps"] if step["kind"] in ORDER),
        key=lambda step: ORDER.index(step["kind"]),
    )
    free = [0.0] * n_cores
    ends: dict[str, float] = {}
    for step in steps:
        first = min(range(n_cores), key=free.__getitem__)
        begin = max(free[first], ends.get(AFTER.get(step["kind"], ""), 0.0))
        free[first] = begin + step["cpu_seconds"]
        ends.setdefault(step["kind"], free[first])
    rest: float = sum(step["cpu_seconds"] for step in record["steps"] if step["kind"] not in ORDER)
    own: float = record["cpu_seconds"] - sum(step["cpu_seconds"] for step in record["steps"])
    return max(free) + rest + own


def blocks() -> list[Block]:
    """Make what README, the home page and the quick start say of the demo."""
    record = json.loads(RESULT.read_text(encoding="utf-8"))
    return [
        Block("README.md", "demo", win(record)),
        Block("docs/index.md", "demo", win(record)),
        Block("README.md", "demo time", f"{times(record)} {steps(record)}"),
        Block("README.ja.md", "demo", in_japanese(record)),
        Block("docs/quick_start.md", "demo time", f"{times(record)}{busy()}\n\n{table(record)}"),
    ]


def win(record: dict[str, Any]) -> str:
    """Say what came out, each difference with its interval."""
    found = corrected(record)
    users, (n, _) = found[0]["n_users"], found[0]["n_trainings"]
    lines = [f"- {difference(one)}" for one in found]
    return "\n".join(
        [
            f"What it finds, in NDCG@10 on {users} users, with {n} short trainings of each model "
            "(intervals and tests over users *and* trainings; p corrected for their number, Holm):",
            "",
            *lines,
        ]
    )


def corrected(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the differences with p-values that count how many of them there are."""
    found = record["differences"]
    adjusted = holm([one["p"] for one in found])
    return [one | {"p": p} for one, p in zip(found, adjusted, strict=True)]


def difference(one: dict[str, Any]) -> str:
    """Say how the student does beside another, in words where a word is allowed."""
    figures = f"{one['delta']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}], {p_words(one['p'])}"
    if one["p"] >= ALPHA:
        return f"beside {one['against']}: {figures}; no significant difference"
    verb = "beats" if one["delta"] > 0 else "is worse than"
    return f"**the student {verb} {one['against']}**: {figures}"


def times(record: dict[str, Any]) -> str:
    """Say how long it took on which machine, and what that is on quiet cores."""
    machine, load = record["machine"], max(record["load"])
    where = f"{machine['cpu_count']} cores ({machine['cpu']})"
    if was_quiet(record):
        return (
            f"The demo takes {record['cpu_seconds']:.0f} CPU seconds. Written down: "
            f"{record['wall_seconds'] / 60:.1f} minutes on {where}, nothing else at work."
        )
    return (
        f"The demo takes {record['cpu_seconds']:.0f} CPU seconds, which two quiet cores do in "
        f"{record['quiet_seconds'] / 60:.1f} minutes (computed from its steps). Written down: "
        f"{record['wall_seconds'] / 60:.0f} minutes on {where} beside other work (load {load:.0f})."
    )


def busy() -> str:
    """Say how long one took whose machine had other work, where one was written down."""
    if not BUSY.is_file():
        return ""
    record = json.loads(BUSY.read_text(encoding="utf-8"))
    return (
        f" Beside other work (load {max(record['load']):.1f} on its "
        f"{record['machine']['cpu_count']} cores): {record['wall_seconds'] / 60:.1f} minutes."
    )


def was_quiet(record: dict[str, Any]) -> bool:
    """Tell whether the demo had the machine to itself: its steps waited for nobody."""
    return bool(record["wall_seconds"] <= 1.05 * record["quiet_seconds"])


def table(record: dict[str, Any]) -> str:
    """Tell each kind of step, its number and its cost."""
    rows = ["| Step | Times | CPU seconds each |", "|---|---:|---:|"]
    rows += [f"| {NAMES[k]} | {n} | {each:.0f} |" for k, (n, each) in costs(record).items()]
    return "\n".join(rows)


def steps(record: dict[str, Any]) -> str:
    """Tell the cost of each kind of step in one sentence."""
    told = [
        f"{NAMES[k]} {f'{n} x ' if n > 1 else ''}{each:.0f}"
        for k, (n, each) in costs(record).items()
    ]
    return f"CPU seconds of its steps: {', '.join(told)}."


def in_japanese(record: dict[str, Any]) -> str:
    """Say in Japanese what came out, how long it took on which machine, and what each step took."""
    found, machine, load = corrected(record), record["machine"], max(record["load"])
    users, (n, _) = found[0]["n_users"], found[0]["n_trainings"]
    told = [
        f"{IN_JAPANESE[k]} {f'{n} 回 × ' if n > 1 else ''}{each:.0f} 秒"
        for k, (n, each) in costs(record).items()
    ]
    minutes = record["wall_seconds"] / 60
    shared = "" if was_quiet(record) else f"、他の仕事と共用、負荷 {load:.0f}"
    return "\n".join(
        [
            f"結果は NDCG@10 の差です(テストユーザー {users} 人、各モデル {n} 回の短い学習。"
            "区間と検定はユーザーと学習の両方を数え、p 値は多重検定を補正済み、Holm):",
            "",
            *(f"- {beside(one)}" for one in found),
            "",
            f"{machine['cpu_count']} コア({machine['cpu']}{shared})で "
            f"{minutes:.1f} 分、CPU 時間は {record['cpu_seconds']:.0f} 秒でした。"
            f"内訳(CPU 時間): {'、'.join(told)}。",
        ]
    )


def beside(one: dict[str, Any]) -> str:
    """Say a difference in Japanese."""
    kind, _, name = one["against"].removeprefix("its ").removeprefix("the ").rpartition(" ")
    other = {"": "ベースライン", "control": f"対照 {name}"}.get(kind, f"最良の単純なモデル {name}")
    words = "有意な差はありません"
    if one["p"] < ALPHA:
        words = "生徒が上回ります" if one["delta"] > 0 else "生徒が下回ります"
    figures = f"{one['delta']:+.4f} [{one['low']:+.4f}, {one['high']:+.4f}]、{p_words(one['p'])}"
    return f"{other} に対して {figures}: {words}"


def costs(record: dict[str, Any]) -> dict[str, tuple[int, float]]:
    """Return how often every kind of step was done, and its mean CPU seconds."""
    taken = {
        kind: [step["cpu_seconds"] for step in record["steps"] if step["kind"] == kind]
        for kind in NAMES
    }
    return {kind: (len(all_), mean(all_)) for kind, all_ in taken.items() if all_}


def newest_record(dataset: str, preset: str) -> dict[str, Any]:
    """Read what the newest run of ``main`` wrote about itself; it must have computed everything."""
    client = MlflowClient()
    named = ["attributes.status = 'FINISHED'", f"attributes.run_name = '{dataset}-{preset}-main'"]
    newest = newest_of(client, ["main"], named)
    if newest is None:
        raise SystemExit(f"This store has no finished run of main --preset={preset}.")
    record: dict[str, Any] = load_dict(f"runs:/{newest.info.run_id}/steps.json")
    if any(step["reused"] for step in record["steps"]):
        raise SystemExit(
            f"The newest one reused steps: recdistill main --preset={preset} --use_cache=false"
        )
    return record


def main() -> None:
    """Take the newest demo of the tracking store in use."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--busy", action="store_true", help="the machine had other work")
    asked = parser.parse_args()
    record = newest_record("ml-100k", "quick")
    record["quiet_seconds"] = quiet_seconds(record)
    result = BUSY if asked.busy else RESULT
    result.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for block in blocks():
        block.write()
    print(times(record))


if __name__ == "__main__":
    main()
