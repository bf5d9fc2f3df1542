"""What prepare_data costs by rows, and what its engine was chosen over.

::

    python -m benchmarks.prepare_speed --rows 1e6 5e6 25e6 --work SCRATCH_FOLDER
    python -m benchmarks.prepare_speed --engines 5e6 --work SCRATCH_FOLDER  # needs polars, duckdb

The rows are drawn (popularity by Zipf, activity by Pareto, in time order as a log is) and removed
afterwards: this measures speed, not quality. Every measurement is a process of its own: processor
seconds count its threads too, the peak is its resident memory. ``engines`` does the core alone in
each: read Parquet, number the ids, order by user and time, write items and offsets; equal digests
show that the work was the same. Results go to ``benchmarks/results/prepare_speed.json``, and with
``--document`` from there into ``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

RESULTS = Path(__file__).parent / "results" / "prepare_speed.json"
DOCUMENT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- prepare_speed -->", "<!-- /prepare_speed -->"


def draw(n_rows: int, path: Path) -> None:
    """Write interactions in time order: 125 a user and 250 an item on average."""
    rng = np.random.default_rng(0)
    n_users, n_items = n_rows // 125, max(2_000, n_rows // 250)
    popularity = np.cumsum(1 / np.arange(1, n_items + 1) ** 0.9)
    activity = np.cumsum(rng.pareto(1.2, n_users) + 1)
    table = {
        "item": np.searchsorted(popularity / popularity[-1], rng.random(n_rows)) + 1,
        "user": np.searchsorted(activity / activity[-1], rng.random(n_rows)) + 1,
        "timestamp": np.sort(rng.integers(1_600_000_000, 1_700_000_000, n_rows)),
    }
    if path.suffix == ".csv":
        csv.write_csv(pa.table(table), path)
    else:
        parquet.write_table(pa.table(table), path)


def whole(path: Path, out: Path) -> str:
    """Run all of prepare_data, the leakage report and the written folder included."""
    from recdistill.data import DataConfig, prepare

    data = prepare(DataConfig(dataset="drawn", data_path=str(path)), out)
    return f"{data.catalog.digest[:12]} {data.split_digest[:12]}"


def _digest(items: Any, counts: Any, out: Path) -> str:
    out.mkdir()
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    np.save(out / "items.npy", np.asarray(items, np.int32))
    np.save(out / "offsets.npy", offsets)
    sha = hashlib.sha256(np.asarray(items, np.int32).tobytes() + offsets.tobytes())
    return sha.hexdigest()[:12]


def core_numpy(path: Path, out: Path) -> str:
    """Do the core as the library does it."""
    from recdistill.data._order import by_user_and_time
    from recdistill.data._raw_ids import number_ids

    frame = parquet.read_table(path).to_pandas()
    user, users = number_ids(frame["user"])
    item, _ = number_ids(frame["item"])
    places = by_user_and_time(user, frame["timestamp"].to_numpy(), len(users))
    items = item if places is None else item[places]
    return _digest(items + 1, np.bincount(user, minlength=len(users)), out)


def core_polars(path: Path, out: Path) -> str:
    """Do the core in Polars' streaming engine."""
    import polars as pl

    rows = (
        pl.scan_parquet(path)
        .with_columns(pl.col("user").rank("dense"), pl.col("item").rank("dense"))
        .sort(["user", "timestamp"], maintain_order=True)
        .select("user", "item")
        .collect(engine="streaming")
    )
    return _digest(rows["item"].to_numpy(), np.bincount(rows["user"].to_numpy())[1:], out)


def core_duckdb(path: Path, out: Path) -> str:
    """Do the core in DuckDB."""
    import duckdb

    link = duckdb.connect()
    link.execute(f"SET threads TO {os.environ.get('OMP_NUM_THREADS', '2')}")
    source = f"read_parquet('{path}', file_row_number=true)"
    for key in ("user", "item"):
        link.execute(
            f'CREATE TABLE {key}s AS SELECT "{key}" AS id, row_number() OVER (ORDER BY "{key}") '  # noqa: S608
            f'AS number FROM (SELECT DISTINCT "{key}" FROM {source})'
        )
    rows = link.execute(
        f"SELECT u.number AS user, i.number AS item FROM {source} r "  # noqa: S608
        'JOIN users u ON r."user" = u.id JOIN items i ON r.item = i.id '
        "ORDER BY u.number, r.timestamp, r.file_row_number"
    ).fetchnumpy()
    return _digest(rows["item"], np.bincount(rows["user"])[1:], out)


def table(found: dict[str, Any]) -> str:
    """Markdown of the results file, as docs/benchmarks.md has it."""
    lines = ["| rows | Parquet | CSV |", "|---:|---:|---:|"]
    for n_rows in sorted(found["parquet"], key=int):
        both = [found[kind][n_rows] for kind in ("parquet", "csv")]
        cells = [f"{f['cpu_seconds']:.1f} CPU s, {f['peak_mib'] / 1024:.1f} GiB" for f in both]
        lines.append(f"| {int(n_rows):,} | {' | '.join(cells)} |")
    exponents = f"{found['parquet_exponent']} (Parquet) and {found['csv_exponent']} (CSV)"
    lines += ["", f"Processor time grows with the power {exponents} of the rows."]
    engines = found["engines"]
    lines += [
        "",
        f"The core alone on {engines['n_rows']:,} rows of Parquet (read, number, order, write):",
        "",
        "| engine | processor time | peak memory |",
        "|---|---:|---:|",
    ]
    for name in ("numpy", "polars", "duckdb"):
        told = engines[name]
        title = {"numpy": "Arrow and NumPy (ours)", "polars": "Polars", "duckdb": "DuckDB"}[name]
        lines.append(f"| {title} | {told['cpu_seconds']} s | {told['peak_mib'] / 1024:.1f} GiB |")
    return "\n".join(lines) + "\n"


def renew_document() -> None:
    """Write the table into the documentation."""
    document = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = document.partition(BEGIN)
    tail = rest.partition(END)[2]
    inside = f"{BEGIN}\n{table(json.loads(RESULTS.read_text()))}{END}"
    DOCUMENT.write_text(head + inside + tail, encoding="utf-8")


WORK = {"whole": whole, "numpy": core_numpy, "polars": core_polars, "duckdb": core_duckdb}


def measured(work: str, path: Path, scratch: Path) -> dict[str, Any]:
    """Do some work in a process of its own."""
    out = scratch / "out"
    command = [sys.executable, "-m", "benchmarks.prepare_speed", "--child", work, str(path)]
    done = subprocess.run(
        [*command, "--work", str(out)], check=True, capture_output=True, text=True
    )
    shutil.rmtree(out)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(work, path.name, figures, flush=True)
    return figures


def child(work: str, path: Path, out: Path) -> None:
    """Measure this process from its imports on."""
    start = time.monotonic()
    digest = WORK[work](path, out)
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "wall_seconds": round(time.monotonic() - start, 1),
        "peak_mib": used.ru_maxrss // 1024,
        "digest": digest,
    }
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="*", type=float, default=[])
    parser.add_argument("--engines", type=float, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/prepare_speed"))
    parser.add_argument("--document", action="store_true", help="write the table into the docs")
    parser.add_argument("--child", nargs=2)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child[0], Path(asked.child[1]), asked.work)
        return
    if asked.document:
        renew_document()
        return
    asked.work.mkdir(parents=True, exist_ok=True)
    found = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    found["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, shared with other work"
    for n_rows in map(int, asked.rows):
        for kind in ("parquet", "csv"):
            path = asked.work / f"interactions.{kind}"
            draw(n_rows, path)
            found.setdefault(kind, {})[str(n_rows)] = measured("whole", path, asked.work)
            path.unlink()
    for kind in ("parquet", "csv"):
        sizes = sorted(found.get(kind, {}), key=int)
        if len(sizes) > 1:
            low, high = (found[kind][s]["cpu_seconds"] for s in (sizes[0], sizes[-1]))
            ratio = int(sizes[-1]) / int(sizes[0])
            found[f"{kind}_exponent"] = round(math.log(high / low) / math.log(ratio), 2)
    if asked.engines:
        path = asked.work / "interactions.parquet"
        draw(int(asked.engines), path)
        engines = {w: measured(w, path, asked.work) for w in ("numpy", "polars", "duckdb")}
        found["engines"] = {"n_rows": int(asked.engines)} | engines
        path.unlink()
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
