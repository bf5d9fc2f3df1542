"""The store takes objects before anybody is told that it does."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from recdistill.errors import UserError
from tracking import _objects
from tracking._settings import Secrets, load

if TYPE_CHECKING:
    from pathlib import Path


class Joining:
    """An S3 client whose store refuses some objects before the part that holds them has joined."""

    def __init__(self, refusals: int, reads: bytes = b"whole") -> None:
        self.refusals, self.reads, self.kept = refusals, reads, set[str]()

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        if self.refusals:
            self.refusals -= 1
            raise ClientError({"Error": {"Code": "NoSuchBucket"}}, "PutObject")
        self.kept.add(Key)

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        return {"Body": io.BytesIO(self.reads)}

    def delete_object(self, Bucket: str, Key: str) -> None:  # noqa: N803
        self.kept.remove(Key)


def wait(store: Joining, monkeypatch: pytest.MonkeyPatch, folder: Path, patience: float) -> None:
    monkeypatch.setattr(_objects, "client", lambda *_: store)
    monkeypatch.setattr(_objects, "_PAUSE_SECONDS", 0)
    (folder / "team.yaml").write_text("")
    secrets = Secrets("", "", "", "", "")
    _objects.wait_until_whole(load(folder / "team.yaml"), secrets, patience)


def test_a_store_that_is_still_joining_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = Joining(refusals=5)
    wait(store, monkeypatch, tmp_path, patience=60)
    assert store.refusals == 0
    assert not store.kept


@pytest.mark.parametrize(
    ("store", "fault"),
    [
        (Joining(refusals=10**9), "NoSuchBucket"),
        (Joining(refusals=0, reads=b""), "what is read back is not what was written"),
    ],
)
def test_a_store_that_never_is_whole_is_refused(
    store: Joining, fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"takes no object in 0 s: .*{fault}"):
        wait(store, monkeypatch, tmp_path, patience=0)
