"""Broken data: one clear sentence, a FAILED run, no folder."""

from __future__ import annotations

import importlib
import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from recdistill.data import Cleaning, Columns, DataConfig, Reading, prepare
from recdistill.errors import UserError
from recdistill.runs import stage

from .conftest import ITEMS, ROWS, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlflow import MlflowClient

ROOT = Path(__file__).parents[3]
ROWS_CSV, ITEMS_CSV = "interactions.csv", "items.csv"


def put(name: str, content: str | bytes) -> Callable[[Path], None]:
    """Replace one file of the sound folder."""

    def breaks(folder: Path) -> None:
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)

    return breaks


def lines(*rows: str) -> str:
    return "\n".join(["user,item,timestamp", *rows]) + "\n"


SOUND = [f"{user},{item},{time}" for user, item, time in ROWS]


def zipped(files: dict[str, str], **damage: int) -> bytes:
    """An archive; ``damage`` is what its directory says of the files, though it is not so."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for info in archive.infolist():
            for field, value in damage.items():
                setattr(info, field, value)
    content = buffer.getvalue()
    if "flag_bits" in damage:
        return content.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01")
    if "compress_type" in damage:
        return content.replace(b"PK\x03\x04\x14\x00\x00\x00\x08", b"PK\x03\x04\x14\x00\x00\x00\x4d")
    return content


def parquet_of(columns: list[tuple[str, list[str]]]) -> bytes:
    buffer = io.BytesIO()
    names = [name for name, _ in columns]
    parquet.write_table(pa.Table.from_arrays([pa.array(v) for _, v in columns], names), buffer)
    return buffer.getvalue()


BROKEN: dict[str, tuple[Callable[[Path], None], dict[str, str], str]] = {
    "empty file": (put(ROWS_CSV, ""), {}, "interactions.csv is empty"),
    "header only": (put(ROWS_CSV, lines()), {}, "interactions.csv has no interactions"),
    "rows of the wrong width": (
        put(ROWS_CSV, lines(*SOUND, "ann,a", "bob,c,1,2")),
        {},
        "2 malformed rows (line 11: 2 fields instead of 3; line 12: 4 fields instead of 3)",
    ),
    "timestamps that are words": (
        put(ROWS_CSV, lines(*SOUND, "ann,a,yesterday")),
        {},
        "line 11: timestamp is not a number",
    ),
    "infinite timestamps": (
        put(ROWS_CSV, lines(*SOUND, "ann,a,inf")),
        {},
        "line 11: timestamp is not a number",
    ),
    "missing ids": (
        put(ROWS_CSV, lines("NaN,a,1", *SOUND, " ,a,1", "ann,,1")),
        {},
        "3 malformed rows (line 2: no user id; line 12: no user id; line 13: no item id)",
    ),
    "missing column": (
        put(ROWS_CSV, "customer,item,timestamp\nann,a,1\n"),
        {},
        "interactions.csv has no column 'user' (it has customer, item, timestamp)",
    ),
    "column named twice": (
        put(ROWS_CSV, "user,item,item\nann,a,1\n"),
        {},
        "names a column twice in its header",
    ),
    "wrong encoding": (
        put(ITEMS_CSV, "item,title\na,Alien\nb,Misérables\n".encode("latin-1")),
        {},
        "items.csv is not UTF-8 text (line 3, byte 0xe9): set reading.encoding",
    ),
    "utf-16 without saying so": (
        put(ROWS_CSV, lines(*SOUND).encode("utf-16-le")),
        {},
        "interactions.csv holds zero bytes (line 1)",
    ),
    "quote that is never closed": (
        put(ITEMS_CSV, 'item,title\na,Alien\nb,"Brazil\nc,Casino\nd,Diva\n'),
        {},
        "items.csv has 1 malformed row (line 3: a quote opens here and runs over",
    ),
    "one id, two titles": (
        put(ITEMS_CSV, "item,title\na,Alien\nb,Brazil\nc,Casino\na,Aliens\n"),
        {},
        "lists 1 item id twice with different titles (item a on lines 2, 5: Alien / Aliens)",
    ),
    "items without a title column": (
        put(ITEMS_CSV, "item,name\na,Alien\n"),
        {},
        "items.csv has no column 'title'",
    ),
    "only one-item users": (
        put(ROWS_CSV, lines("ann,a,1", "bob,b,2")),
        {},
        "has no interactions left after cleaning: 2 users have a single interaction",
    ),
    "histories too short to split": (
        put(ROWS_CSV, lines("ann,a,1", "ann,b,2", "bob,b,2", "bob,a,3")),
        {},
        "gives no validation case by split=leave_one_out",
    ),
    "one moment for all": (
        put(ROWS_CSV, lines(*(f"{user},{item},7" for user, item, _ in ROWS))),
        {"split": "global_temporal"},
        "gives no validation case by split=global_temporal",
    ),
    "filter that leaves nothing": (
        put("notes.txt", ""),
        {"min_interactions": "50"},
        "has no interactions left after cleaning",
    ),
    "no such path": (
        put("notes.txt", ""),
        {"data_path": "nowhere"},
        "data_path nowhere does not exist",
    ),
    "folder without data": (
        lambda folder: (folder / ROWS_CSV).unlink(),
        {},
        "holds no interactions that can be recognised",
    ),
    "parquet that is none": (
        put("interactions.parquet", "PAR1 but not really"),
        {},
        "interactions.parquet is not a readable Parquet file",
    ),
    "zip that is none": (
        put("ml.zip", "PK nothing"),
        {"data_path": "shop/ml.zip"},
        "shop/ml.zip is not a readable zip archive",
    ),
    "zip with two candidates": (
        put("two.zip", zipped({f"{d}/{ROWS_CSV}": lines(*SOUND) for d in "ab"})),
        {"data_path": "shop/two.zip"},
        "holds 2 files interactions.csv (a/interactions.csv, b/interactions.csv)",
    ),
    "zip that is encrypted": (
        put("ml.zip", zipped({ROWS_CSV: lines(*SOUND)}, flag_bits=1)),
        {"data_path": "shop/ml.zip"},
        "shop/ml.zip is not a readable zip archive (it is encrypted)",
    ),
    "zip of an unknown compression": (
        put("ml.zip", zipped({ROWS_CSV: lines(*SOUND)}, compress_type=77)),
        {"data_path": "shop/ml.zip"},
        "shop/ml.zip is not a readable zip archive (That compression method is not supported)",
    ),
    "zip with a damaged stream": (
        put(
            "ml.zip",
            zipped({ROWS_CSV: lines(*SOUND)}).replace(
                b"\x00\x00interactions.csv", b"\x00\x00interactions.csv\xff\xff\xff", 1
            ),
        ),
        {"data_path": "shop/ml.zip"},
        "shop/ml.zip is not a readable zip archive",
    ),
    "zip that would fill the memory": (
        put("ml.zip", zipped({ROWS_CSV: "a" * 70 * 2**20})),
        {"data_path": "shop/ml.zip"},
        "is 0.1 GiB when unpacked",
    ),
    "parquet with a column twice": (
        put("interactions.parquet", parquet_of([("user", ["a"]), ("user", ["b"])])),
        {},
        "interactions.parquet has two columns of the name 'user'",
    ),
    "half a character": (
        put(ROWS_CSV, lines("a,+2AA-,1")),
        {"encoding": "utf-7"},
        "interactions.csv holds half a character (line 2)",
    ),
    "header with a control character": (
        put(ROWS_CSV, lines(*SOUND).replace("user", "u\x1eser")),
        {},
        "interactions.csv has no column 'user' (it has u?ser,",
    ),
    "no column that is wanted": (
        put(ROWS_CSV, "a,b\n1,2\n"),
        {},
        "interactions.csv has no column 'user' and no column 'item'",
    ),
    "format nobody can tell": (
        put("log.bin", "ann a 1"),
        {"data_path": "shop/log.bin"},
        "The format of log.bin cannot be told from its name",
    ),
    "name nobody knows": (
        put("notes.txt", ""),
        {"dataset": "ml-7m", "data_path": ""},
        "'ml-7m' is not a data set known by name (ml-100k, ml-1m,",
    ),
    "split that has no files": (
        put("notes.txt", ""),
        {"split": "given"},
        "split=given needs train_file, val_file and test_file",
    ),
    "given file that is not there": (
        put("notes.txt", ""),
        {
            "split": "given",
            "data_path": "",
            "train_file": "shop/interactions.csv",
            "val_file": "shop/none.csv",
            "test_file": "shop/interactions.csv",
        },
        "val_file shop/none.csv does not exist",
    ),
    "test rows that were trained on": (
        put("val.csv", lines("ann,d,50")),
        {
            "split": "given",
            "data_path": "",
            "train_file": "shop/interactions.csv",
            "val_file": "shop/val.csv",
            "test_file": "shop/interactions.csv",
        },
        "test_file repeats 9 rows of an earlier part",
    ),
}


def configured(changed: dict[str, str]) -> DataConfig:
    settings: dict[str, Any] = {"dataset": "shop", "data_path": "shop"} | changed
    if "encoding" in settings:
        settings["reading"] = Reading(encoding=settings.pop("encoding"))
    if "min_interactions" in settings:
        settings["min_interactions"] = int(settings["min_interactions"])
    return DataConfig(**settings)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_input_is_one_sentence_and_leaves_no_folder(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks, changed, said = BROKEN[name]
    breaks(folder)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as refused:
        prepare(configured(changed))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert all(p.name.endswith(".lock") for p in Path("data").iterdir())


def prepare_data_stage(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The stage's settings and its main function, with conf/ in the working folder."""
    Path("conf/presets").mkdir(parents=True)
    Path("conf/prepare_data.yaml").write_bytes((ROOT / "conf/prepare_data.yaml").read_bytes())
    Path("conf/presets/full.yaml").touch()
    monkeypatch.syspath_prepend(str(ROOT))
    module = importlib.import_module("projects.prepare_data")
    return module.Config, module.run


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "empty file",
        "rows of the wrong width",
        "timestamps that are words",
        "missing ids",
        "missing column",
        "wrong encoding",
        "one id, two titles",
        "only one-item users",
        "folder without data",
        "parquet that is none",
    ],
)
def test_stage_says_the_sentence_and_fails_the_run(
    name: str,
    folder: Path,
    store: MlflowClient,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    breaks, changed, said = BROKEN[name]
    breaks(folder)
    config_type, run = prepare_data_stage(monkeypatch)
    settings = {"dataset": "shop", "data_path": "shop"} | changed
    words = [word for key, value in settings.items() for word in (f"--{key}", value)]
    with pytest.raises(SystemExit) as ended:
        stage(run, config_type, "prepare_data", words)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert said in printed.strip().splitlines()[-1]
    assert "Traceback" not in printed
    runs = store.search_runs(["0"])
    assert [r.info.status for r in runs] == ["FAILED"]
    assert said in runs[0].data.tags["error"]


@pytest.mark.slow
def test_sound_folder_goes_through_the_stage(
    folder: Path, store: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_type, run = prepare_data_stage(monkeypatch)
    with (folder / ROWS_CSV).open("a") as file:
        file.write("zoe,a,99\n")
    words = ["--dataset", "shop", "--data_path", "shop"]
    for _ in range(2):
        stage(run, config_type, "prepare_data", words)
    second, first = store.search_runs(["0"], order_by=["attributes.start_time DESC"])
    assert first.info.status == second.info.status == "FINISHED"
    assert first.data.metrics["data/n_users"] == 3
    assert first.data.metrics["data/n_items"] == len(ITEMS)
    assert first.data.metrics["data/n_interactions"] == len(ROWS)
    assert first.data.metrics["data/n_dropped_one_item_users"] == 1
    assert first.data.metrics["leakage/test/n_targets_never_in_training"] == 1
    kept = {f.path for f in store.list_artifacts(first.info.run_id, "data")}
    assert {"data/manifest.json", "data/catalog.csv", "data/leakage.json", "data/report.md"} <= kept
    assert first.data.tags["dataset"] == "shop"
    assert second.data.tags["cache.hit_of"] == first.info.run_id
    assert second.data.metrics["data/n_users"] == 3


def test_what_a_rule_may_drop_is_dropped_when_asked(folder: Path, tmp_path: Path) -> None:
    write_rows(folder / ROWS_CSV, [*ROWS, ("", "a", 1), ("ann", "zz", 50), ("ann", "a", "x")])
    config = DataConfig(
        dataset="shop",
        data_path=str(folder),
        cleaning=Cleaning(malformed="drop", unknown_items="drop"),
    )
    data = prepare(config, tmp_path / "data")
    assert data.manifest["dropped"] == {"malformed": 2, "unknown_items": 1}
    assert data.manifest["counts"]["n_interactions"] == len(ROWS)


def test_a_named_timestamp_column_must_be_there(folder: Path, tmp_path: Path) -> None:
    config = DataConfig(
        dataset="shop", data_path=str(folder), columns=Columns(timestamp="bought_at")
    )
    with pytest.raises(UserError, match="no column 'bought_at'"):
        prepare(config, tmp_path / "data")


def test_dates_need_a_format(folder: Path, tmp_path: Path) -> None:
    rows = [(user, item, f"2024-01-{time:02d}") for user, item, time in ROWS if time < 31]
    write_rows(folder / ROWS_CSV, [*rows, ("ann", "d", "2024-01-31")])
    plain = DataConfig(dataset="shop", data_path=str(folder))
    with pytest.raises(UserError, match="timestamp is not a number"):
        prepare(plain, tmp_path / "data")
    dated = DataConfig(
        dataset="shop", data_path=str(folder), reading=Reading(timestamp_format="%Y-%m-%d")
    )
    assert prepare(dated, tmp_path / "data").manifest["has_timestamps"]


def test_line_ends_of_an_old_mac(folder: Path, tmp_path: Path) -> None:
    path = folder / ROWS_CSV
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    data = prepare(DataConfig(dataset="shop", data_path=str(folder)), tmp_path / "data")
    assert data.manifest["counts"]["n_interactions"] == len(ROWS)


def test_what_pandas_wrote_about_a_parquet_file_may_be_damaged(
    folder: Path, tmp_path: Path
) -> None:
    (folder / ROWS_CSV).unlink()
    table = pa.table(dict(zip(("user", "item", "timestamp"), zip(*ROWS, strict=True), strict=True)))
    damaged = table.replace_schema_metadata({b"pandas": b'{"index_columns": ["no'})
    parquet.write_table(damaged, folder / "interactions.parquet")
    data = prepare(DataConfig(dataset="shop", data_path=str(folder)), tmp_path / "data")
    assert data.manifest["counts"]["n_interactions"] == len(ROWS)


def test_control_characters_of_titles_become_spaces(folder: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"item": list("abcd"), "title": ["A\x1fB", "Bra\0zil", "C\n\nC", "D"]})
    (folder / ITEMS_CSV).unlink()
    frame.to_parquet(folder / "items.parquet")
    data = prepare(DataConfig(dataset="shop", data_path=str(folder)), tmp_path / "data")
    assert data.catalog.items["title"].tolist() == ["A B", "Bra zil", "C C", "D"]
