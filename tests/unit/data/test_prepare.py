"""The prepared folder: found again, whole or not there, never another one's."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from recdistill.data import (
    DataConfig,
    load_prepared,
    prepare,
    summary,
)
from recdistill.data import _store as store_module
from recdistill.data._manifest import FORMAT
from recdistill.data._prepare import prepared_folder
from recdistill.data._split_config import Temporal
from recdistill.errors import UserError

from .conftest import ROWS, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recdistill.data import PreparedData


def test_what_is_read_back_is_what_was_written(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    again = load_prepared(data.folder)
    assert again.catalog.digest == data.catalog.digest
    assert again.split_digest == data.split_digest
    assert again.users.tolist() == ["ann", "bob", "cleo"]
    assert not list(data.folder.parent.glob(".*tmp*"))


def test_csv_files_rejoin_to_the_source(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    parts = {p: pd.read_csv(data.folder / f"{p}.csv") for p in ("train", "val", "test")}
    whole = pd.concat(parts.values())[["user", "item", "order"]]
    assert sorted(whole.itertuples(index=False, name=None)) == sorted(ROWS)
    users = data.users[data.train.keys()[0]]
    items = data.catalog.items["raw_id"][data.train.items]
    assert list(zip(users, items, strict=True)) == list(
        parts["train"][["user", "item"]].itertuples(index=False, name=None)
    )
    assert parts["test"]["target"].tolist() == [1, 1]


def test_the_same_settings_find_the_folder(
    shop: Callable[..., PreparedData], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = shop()

    def never(*_: object) -> None:
        raise AssertionError("read the source again")

    monkeypatch.setattr("recdistill.data._prepare.load", never)
    assert shop().split_digest == first.split_digest
    assert shop(seed=5).folder == first.folder, "nothing is random without max_users"
    by_name = prepare(DataConfig(dataset="shop"), first.folder.parent)
    assert by_name.split_digest == first.split_digest


def test_other_settings_get_their_own_folder(shop: Callable[..., PreparedData]) -> None:
    plain = shop()
    temporal = shop(split="global_temporal", temporal=Temporal(0.2, 0.2))
    sampled = shop(max_users=2, seed=1)
    assert plain.folder.name == "shop"
    assert temporal.folder.name.startswith("shop-global_temporal-")
    assert len({plain.folder, temporal.folder, sampled.folder}) == 3
    assert len({plain.split_digest, temporal.split_digest, sampled.split_digest}) == 3


def test_a_changed_source_under_the_same_name_is_refused(
    folder: Path, shop: Callable[..., PreparedData]
) -> None:
    before = shop()
    write_rows(folder / "interactions.csv", [*ROWS, ("bob", "b", 99)])
    with pytest.raises(UserError, match=r"other content than is there now .interactions differ"):
        shop()
    shutil.rmtree(before.folder)
    assert shop().split_digest != before.split_digest


def test_rebuilding_gives_the_same_digests(folder: Path, tmp_path: Path) -> None:
    config = DataConfig(dataset="shop", data_path=str(folder))
    first = prepare(config, tmp_path / "data")
    marker = first.folder / "marker"
    marker.touch()
    second = prepare(config, tmp_path / "data", rebuild=True)
    assert not marker.exists()
    assert (first.catalog.digest, first.split_digest) == (
        second.catalog.digest,
        second.split_digest,
    )


def test_an_edited_file_is_refused(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    path = data.folder / "train.csv"
    path.write_text(path.read_text().replace("ann", "eve"))
    with pytest.raises(UserError, match=r"train\.csv was changed after prepare_data wrote it"):
        load_prepared(data.folder)


@pytest.mark.parametrize(
    "name", ["arrays/train_items.npy", "arrays/test_targets.npy", "users.arrow", "leakage.json"]
)
def test_every_file_carries_a_checksum(name: str, shop: Callable[..., PreparedData]) -> None:
    data = shop()
    path = data.folder / name
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"was changed after prepare_data wrote it"):
        load_prepared(data.folder)
    path.unlink()
    with pytest.raises(UserError, match=f"lacks {name}"):
        load_prepared(data.folder)


def test_arrays_are_mapped_and_never_written_through(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    before = data.train.items.copy()
    base = data.train.items.base
    assert isinstance(base, np.memmap)
    data.train.items[0] += 1
    assert load_prepared(data.folder).train.items.tolist() == before.tolist()


def test_a_missing_folder_or_file_says_what_to_run(
    tmp_path: Path, shop: Callable[..., PreparedData]
) -> None:
    with pytest.raises(UserError, match="prepare_data` for this data set first"):
        load_prepared(tmp_path / "nothing")
    data = shop()
    (data.folder / "val.csv").unlink()
    with pytest.raises(UserError, match=r"lacks val\.csv"):
        load_prepared(data.folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 1}', "\udcff"])
def test_a_damaged_manifest_is_one_sentence(
    content: str, shop: Callable[..., PreparedData]
) -> None:
    data = shop()
    content = content.replace('"format": 1', f'"format": {FORMAT}')
    manifest = data.folder / "manifest.json"
    manifest.write_bytes(content.encode("utf-8", "surrogateescape"))
    for use in (lambda: load_prepared(data.folder), shop):
        with pytest.raises(UserError, match=r"manifest\.json is damaged: remove the folder"):
            use()


def test_an_older_folder_is_prepared_again(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    path = data.folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 0}))
    with pytest.raises(UserError, match="was written in format 0"):
        load_prepared(data.folder)
    assert shop().split_digest == data.split_digest


def test_nothing_is_left_half_written(
    shop: Callable[..., PreparedData], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store_module.json, "dumps", dies)
        with pytest.raises(KeyboardInterrupt):
            shop()
    assert [p.name for p in (tmp_path / "data").iterdir()] == [".shop.lock"]
    assert len(shop().users) == 3


def test_remains_of_a_killed_process_are_cleared(
    shop: Callable[..., PreparedData], tmp_path: Path
) -> None:
    remains = tmp_path / "data" / ".shop.tmp-1"
    remains.mkdir(parents=True)
    shop()
    assert not remains.exists()


def _prepare_elsewhere(path: str, root: str, out: multiprocessing.Queue[str]) -> None:
    from pathlib import Path

    out.put(prepare(DataConfig(dataset="shop", data_path=path), Path(root)).split_digest)


def test_two_processes_at_once_agree(folder: Path, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    out: multiprocessing.Queue[str] = context.Queue()
    target = (str(folder), str(tmp_path / "data"), out)
    both = [context.Process(target=_prepare_elsewhere, args=target) for _ in range(2)]
    for process in both:
        process.start()
    digests = {out.get(timeout=60) for _ in both}
    for process in both:
        process.join(60)
    assert len(digests) == 1


def test_folder_name_for_known_data_sets() -> None:
    assert prepared_folder(DataConfig()).name == "ml-100k"
    assert prepared_folder(DataConfig(seed=7, source="wheel")).name == "ml-100k"
    assert prepared_folder(DataConfig(data_path="/x")).name != "ml-100k"
    assert prepared_folder(DataConfig(max_users=5, seed=1)) != prepared_folder(
        DataConfig(max_users=5, seed=2)
    )


def test_manifest_and_summary_state_the_rules(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    manifest = json.loads((data.folder / "manifest.json").read_text())
    assert manifest["counts"] == {
        "n_read": 9, "n_users": 3, "n_items": 4, "n_interactions": 9, "n_train": 5,
        "n_val_cases": 2, "n_test_cases": 2, "n_items_in_training": 3,
    }  # fmt: skip
    assert manifest["catalog_digest"] == data.catalog.digest
    assert any(f["name"] == "two_item_users" for f in manifest["findings"])
    text = summary(data)
    assert manifest["rule"] in text
    assert manifest["order"] in text


def test_split_digest_changes_with_the_split(shop: Callable[..., PreparedData]) -> None:
    data = shop()
    parts = (data.users, data.train, data.val, data.test)
    assert store_module.split_digest(*parts) == data.split_digest
    renamed = np.array(["ann", "bob", "dora"], dtype=object)
    assert store_module.split_digest(renamed, *parts[1:]) != data.split_digest
    swapped = (data.users, data.train, data.test, data.val)
    assert store_module.split_digest(*swapped) != data.split_digest


def test_a_file_in_the_way_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(UserError, match="for prepared data cannot be made"):
        prepare(DataConfig(dataset="shop", data_path=str(folder)), tmp_path / "data")
