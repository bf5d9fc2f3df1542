"""Addresses in an object store, and refusals that need none; the rest is tests/e2e's."""

from __future__ import annotations

import socket
import string
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.data import DataConfig, Reading
from recdistill.errors import UserError
from recdistill.object_store import Address, download, local_copy

NAME = st.text(string.ascii_lowercase + string.digits + "-", min_size=3, max_size=20).filter(
    lambda name: name[0] not in "-"
)


@given(NAME, st.lists(NAME, min_size=1, max_size=4))
def test_an_address_is_read_as_it_is_written(bucket: str, parts: list[str]) -> None:
    address = Address.parse(f"s3://{bucket}/{'/'.join(parts)}/", "data_path")
    assert Address.parse(str(address), "data_path") == address == Address(bucket, "/".join(parts))
    assert (address / "x").beside(parts[-1]) == address / parts[-1]
    assert address.name == parts[-1]


@pytest.mark.parametrize("text", ["s3://", "s3://bucket", "s3://bucket/", "s3:///key"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="data_path is no address"):
        DataConfig(dataset="shop", data_path=text)


def test_a_secret_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="items_file is no address") as refused:
        DataConfig(reading=Reading(items_file="s3://AKIAKEY:hush@bucket/items.csv"))
    assert "hush" not in str(refused.value)
    assert "AKIAKEY" not in str(refused.value)


def test_a_store_that_does_not_answer_is_named_without_the_login_of_its_url(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://someone:hush@127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(UserError, match=f"127.0.0.1:{port} does not answer") as refused:
        download(Address("bucket", "key"), tmp_path / "x")
    assert "hush" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_without_the_package_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r"need.* boto3.*pip install 'recdistill\[s3\]'"):
        local_copy("s3://bucket/key", tmp_path, "users")


def test_a_path_of_this_machine_stays_where_it_is(tmp_path: Path) -> None:
    assert local_copy("users.parquet", tmp_path, "users") == Path("users.parquet")
