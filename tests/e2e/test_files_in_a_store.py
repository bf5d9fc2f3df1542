"""Data from the team server's object store and recommendations into it, as from a disk."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from _servers import TeamServer, missing_for_team

from recdistill import data_runs, object_store
from recdistill.data import DataConfig, PreparedData, Reading, load_prepared, prepare
from recdistill.errors import UserError
from recdistill.inbox import Inbox
from recdistill.object_store import Address
from recdistill.serving import Scoring, gather_student, score
from recdistill.students import StudentConfig, StudentRecommender, build_student, save_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from recdistill.runs import RunReference

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(missing_for_team()), reason=missing_for_team() or "-"),
]


@pytest.fixture
def put(
    team_server: TeamServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[Path], str]:
    """Upload a file into a folder of this test's own; return its address."""
    import boto3

    settings = yaml.safe_load((team_server.folder / "team.yaml").read_text())
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", settings["s3"]["endpoint"])
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", team_server.secrets["RECDISTILL_TEAM_S3_KEY"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", team_server.secrets["RECDISTILL_TEAM_S3_SECRET"])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store = boto3.client("s3", endpoint_url=settings["s3"]["endpoint"])
    if "lake" not in [bucket["Name"] for bucket in store.list_buckets()["Buckets"]]:
        store.create_bucket(Bucket="lake")

    def upload(path: Path) -> str:
        address = Address("lake", f"{tmp_path.name}/{path.name}")
        object_store.upload(path, address)
        return str(address)

    return upload


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a log of forty users and its items."""
    draw = random.Random(5)  # noqa: S311
    folder = tmp_path / "shop"
    folder.mkdir()
    rows = [f"u{user},i{draw.randrange(30)},{t}" for user in range(40) for t in range(8)]
    (folder / "interactions.csv").write_text("user,item,timestamp\n" + "\n".join(rows) + "\n")
    titles = [f"i{item},Thing {item}" for item in range(30)]
    (folder / "items.csv").write_text("item,title\n" + "\n".join(titles) + "\n")
    return folder


def digests(data: PreparedData) -> dict[str, Any]:
    origin = data.manifest["origin"]
    return {"catalog": data.catalog.digest, "split": data.split_digest, "files": origin["sha256"]}


def test_data_from_the_store_are_those_from_the_disk(
    shop: Path, put: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = prepare(DataConfig("shop", data_path=str(shop)), tmp_path / "local")
    rows, items = put(shop / "interactions.csv"), put(shop / "items.csv")
    folder = rows.rpartition("/")[0]
    named = DataConfig("shop", data_path=rows, reading=Reading(items_file=items))
    ways = (DataConfig("shop", data_path=folder), DataConfig("shop", data_path=rows), named)
    for n, config in enumerate(ways):
        remote = prepare(config, tmp_path / f"remote-{n}")
        assert digests(remote) == digests(local)
        assert remote.manifest["origin"]["files"] == {"interactions": rows, "items": items}
        assert {path.name for path in (tmp_path / f"remote-{n}").iterdir()} <= {
            "shop",
            ".shop.lock",
        }
    written = (tmp_path / "remote-0" / "shop" / "manifest.json").read_text()
    assert "remote-0" not in written

    # Unchanged objects are known by their tags; nothing is fetched again.
    with monkeypatch.context() as patched:
        patched.setattr(object_store, "download", None)
        assert digests(prepare(ways[0], tmp_path / "remote-0")) == digests(local)
    with (shop / "interactions.csv").open("a") as file:
        file.write("u1,i1,99\n")
    put(shop / "interactions.csv")
    with pytest.raises(UserError, match="prepared from other content"):
        prepare(ways[0], tmp_path / "remote-0")


def test_a_malformed_object_is_refused_by_its_address(
    put: Callable[[Path], str], tmp_path: Path
) -> None:
    (tmp_path / "log.zip").write_bytes(b"no archive")
    address = put(tmp_path / "log.zip")
    with pytest.raises(UserError, match=f"^{address} is not a readable zip"):
        prepare(DataConfig("shop", data_path=address), tmp_path / "data")
    assert not [path for path in (tmp_path / "data").iterdir() if path.is_dir()]


def test_scores_in_the_store_are_those_on_the_disk(
    shop: Path, put: Callable[[Path], str], tmp_path: Path
) -> None:
    data = prepare(DataConfig("shop", data_path=str(shop)), tmp_path / "data")
    config = StudentConfig(dim=8, max_length=8, item_start="random")
    network = build_student(config, data.catalog.n_items, seed=0).eval()
    recommender = StudentRecommender(network, config, data.catalog.digest, data.split_digest)
    save_model(recommender, tmp_path / "model")
    catalog = data.folder / "catalog.csv"
    student = gather_student(tmp_path / "model", catalog, tmp_path / "student")
    users = pa.table({"user": [*"abcde"], "history": [["i1", "i2"], ["i3"], [], ["x"], ["i4"]]})
    pq.write_table(users, tmp_path / "users.parquet")

    on_disk = Scoring("run", str(tmp_path / "users.parquet"), k=5, part_size=2)
    expected = score(student, on_disk, tmp_path / "out")
    in_store = Scoring("run", put(tmp_path / "users.parquet"), k=5, part_size=2)
    output = f"s3://lake/{tmp_path.name}/out"
    assert score(student, in_store, output) == expected
    copy = object_store.local_copy(output, tmp_path / "copy", "output")
    parts = sorted(path.name for path in (tmp_path / "out").glob("part-*"))
    assert sorted(path.name for path in copy.iterdir()) == ["_settings.json", *parts]
    assert len(parts) == 3
    for name in parts:
        assert pq.read_table(copy / name).equals(pq.read_table(tmp_path / "out" / name))

    again = score(student, in_store, output)
    assert (again.n_earlier, again.n_parts, again.n_users) == (3, 3, 5)
    with pytest.raises(UserError, match=r"another scoring \(k differ\)"):
        score(student, Scoring("run", in_store.users, k=4, part_size=2), output)


@pytest.mark.parametrize(
    ("changed", "address", "sentence"),
    [
        ({}, "s3://lake/nothing/here.csv", "names no object"),
        ({}, "s3://no-such-bucket/here.csv", "no such bucket|names no object"),
        ({"AWS_SECRET_ACCESS_KEY": "a-wrong-secret"}, "s3://lake/x", "refuses these credentials"),
        ({"AWS_ACCESS_KEY_ID": "a-wrong-key"}, "s3://lake/x", "refuses these credentials"),
    ],
)
def test_what_cannot_be_read_ends_in_one_sentence(
    put: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    changed: dict[str, str],
    address: str,
    sentence: str,
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=sentence) as refused:
        prepare(DataConfig("shop", data_path=address), tmp_path / "data")
    assert address in str(refused.value)
    assert "a-wrong" not in str(refused.value)


def test_an_inbox_in_the_store_is_taken_in_day_by_day(
    shop: Path, put: Callable[[Path], str], tmp_path: Path
) -> None:
    head, *rows = (shop / "interactions.csv").read_text().splitlines()
    (shop / "items.csv").unlink()
    days = {"1.csv": rows[:200], "2.csv": rows[200:260], "3.csv": rows[260:]}
    for name, some in days.items():
        (tmp_path / name).write_text("\n".join([head, *some]) + "\n")
    put(tmp_path / "2.csv")
    folder = put(tmp_path / "1.csv").rpartition("/")[0]
    asked: list[tuple[str, str]] = []

    def prepared(place: str, extends: Path | None) -> Path:
        asked.append((place.rpartition("/")[2], extends.name if extends else ""))
        before = str(extends) if extends else ""
        config = DataConfig("shop", data_path=place, extends=before)
        return prepare(config, tmp_path / "data").folder

    inbox = Inbox(folder, tmp_path / "note.json")
    first = inbox.take_in(prepared)
    put(tmp_path / "3.csv")
    folders = inbox.take_in(prepared)
    assert folders[:2] == first
    assert asked == [("1.csv", ""), ("2.csv", folders[0].name), ("3.csv", folders[1].name)]
    whole = load_prepared(folders[-1])
    local = prepare(DataConfig("shop", data_path=str(shop)), tmp_path / "local")
    assert whole.catalog.n_items == local.catalog.n_items
    assert len(whole.train.items) == len(local.train.items)
    with pytest.raises(UserError, match="holds no file"):
        Inbox(f"{folder}/empty", tmp_path / "other.json").take_in(prepared)


def test_a_prepared_folder_goes_to_the_store_and_comes_back_on_another_machine(
    shop: Path,
    put: Callable[[Path], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = prepare(DataConfig("shop", data_path=str(shop)), tmp_path / "here" / "data")
    address = Address("lake", f"{tmp_path.name}/shop-prepared")
    stopped = copied_until_stopped(here.folder, address, monkeypatch)
    assert object_store.version(address / "manifest.json") is None
    assert 0 < len(object_store.versions(address, deep=True)) == stopped
    finder = RunFinderOfNone()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    with pytest.raises(UserError, match="holds no prepared folder"):
        data_runs.folder_of(str(address), finder)

    assert data_runs.copy_to(here.folder, address)
    assert not data_runs.copy_to(here.folder, address)
    found = load_prepared(Path(data_runs.folder_of(str(address), finder)))
    assert found.folder.resolve() == tmp_path / "there" / "data" / "shop-prepared"
    assert (found.split_digest, found.catalog.digest) == (here.split_digest, here.catalog.digest)
    assert [path.name for path in (tmp_path / "there" / "data").iterdir()] == ["shop-prepared"]
    with monkeypatch.context() as patched:
        patched.setattr(object_store, "download", None)  # it is there and the same
        assert data_runs.folder_of(str(address), finder) == "data/shop-prepared"

    other = prepare(DataConfig("shop", data_path=str(shop), max_users=9), tmp_path / "o" / "data")
    with pytest.raises(UserError, match="holds another prepared folder"):
        data_runs.copy_to(other.folder, address)
    titles = (shop / "items.csv").read_text()
    (shop / "items.csv").write_text(titles.replace("Thing", "Object"))
    renamed = prepare(DataConfig("shop", data_path=str(shop)), tmp_path / "renamed" / "data")
    assert renamed.split_digest == here.split_digest
    with pytest.raises(UserError, match="holds another prepared folder"):
        data_runs.copy_to(renamed.folder, address)
    elsewhere = Address("lake", f"{tmp_path.name}/elsewhere/shop-prepared")
    data_runs.copy_to(other.folder, elsewhere)
    with pytest.raises(UserError, match="holds other data"):
        data_runs.folder_of(str(elsewhere), finder)
    # Changed in the store: the checksums of the manifest say so, and nothing is left behind.
    broken = Address("lake", f"{tmp_path.name}/broken")
    data_runs.copy_to(other.folder, broken)
    object_store.upload(shop / "items.csv", broken / "catalog.csv")
    with pytest.raises(UserError, match="was changed after prepare_data wrote it"):
        data_runs.folder_of(str(broken), finder)
    assert [path.name for path in (tmp_path / "there" / "data").iterdir()] == ["shop-prepared"]


def copied_until_stopped(folder: Path, address: Address, monkeypatch: pytest.MonkeyPatch) -> int:
    """Copy a folder and be killed before the last file; return how many files had gone."""
    n_files = sum(path.is_file() for path in folder.rglob("*"))
    gone: list[Path] = []
    upload = object_store.upload

    def stopping(source: Path, to: Address) -> None:
        if len(gone) == n_files - 1:
            raise KeyboardInterrupt
        upload(source, to)
        gone.append(source)

    with monkeypatch.context() as patched:
        patched.setattr(object_store, "upload", stopping)
        with pytest.raises(KeyboardInterrupt):
            data_runs.copy_to(folder, address)
    return len(gone)


class RunFinderOfNone:
    """An address is no run, so no run is looked for."""

    def find(self, reference: str, *stages: str) -> RunReference:
        raise AssertionError(reference, stages)
