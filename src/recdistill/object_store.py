"""Files in an object store, by their address ``s3://bucket/key``.

Endpoint and credentials come from the environment or a profile, where every program of AWS finds
them (``AWS_ENDPOINT_URL``, ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ...), and from
MLflow's ``MLFLOW_S3_ENDPOINT_URL``. They are in no setting, so no run logs them, and no
sentence says them.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from recdistill.errors import UserError
from recdistill.extras import missing_library_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SCHEME = "s3://"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REFUSALS = (
    *("403", "401", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed"),
)
_ABSENCES = ("404", "NoSuchKey", "NoSuchBucket", "NotFound")


def is_address(path: object) -> bool:
    """Whether a path is an address in an object store."""
    return str(path).startswith(_SCHEME)


@dataclass(frozen=True)
class Address:
    """Where an object, or a folder of objects, lies.

    Attributes
    ----------
    bucket : str
    key : str
        Without a slash at either end; a folder is what its objects' keys begin with.
    """

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str, setting: str) -> Address:
        """Read ``s3://bucket/key``.

        Raises
        ------
        UserError
            When it is none. The text is not repeated: some write their secret key into it.
        """
        bucket, _, key = text.removeprefix(_SCHEME).partition("/")
        if not (is_address(text) and _BUCKET.fullmatch(bucket) and key.strip("/")):
            raise UserError(
                f"{setting} is no address in an object store: write s3://bucket/key, with letters, "
                "digits, '.', '_' and '-' in the bucket's name and no credentials, which are read "
                "from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        return cls(bucket, key.strip("/"))

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> Address:
        return Address(self.bucket, f"{self.key}/{name}")

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name

    def beside(self, name: str) -> Address:
        """Return the address of another object in the same folder."""
        folder = self.key.rpartition("/")[0]
        return Address(self.bucket, f"{folder}/{name}" if folder else name)


def check_paths(paths: Mapping[str, str]) -> None:
    """Refuse malformed addresses among the paths of settings, given by the settings' names."""
    for setting, path in paths.items():
        if is_address(path):
            Address.parse(path, setting)


def version(address: Address) -> str | None:
    """Return the tag that the store gives to an object's present content; None without object."""
    with _one_sentence(address) as store:
        found = store.list_objects_v2(Bucket=address.bucket, Prefix=address.key, MaxKeys=1)
        # Keys come in order, so the object itself comes before those whose keys go on from its own.
        for entry in found.get("Contents", []):
            if entry["Key"] == address.key:
                return str(entry["ETag"]).strip('"')
    return None


def versions(folder: Address, *, deep: bool = False) -> dict[str, str]:
    """Return the objects of a folder: their names below it, and the tags of their content.

    Parameters
    ----------
    deep : whether those of folders in the folder are meant too; their names have slashes then.

    Raises
    ------
    UserError
        Also for a name that would leave the folder when it is written to a disk.
    """
    start, found = f"{folder.key}/", {}
    with _one_sentence(folder) as store:
        only_here = {} if deep else {"Delimiter": "/"}
        pages = store.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=folder.bucket, Prefix=start, **only_here):
            for entry in page.get("Contents", []):
                name = entry["Key"].removeprefix(start)
                if not name or name.endswith("/"):  # what some programs keep for a folder
                    continue
                if {"", ".", ".."} & set(name.split("/")):
                    raise UserError(f"{folder} holds an object that is no file's name: {name!r}.")
                found[name] = str(entry["ETag"]).strip('"')
    return found


def download(address: Address, target: Path) -> None:
    """Write an object's content to a file whose folder need not be there yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _one_sentence(address) as store:
        store.download_file(address.bucket, address.key, str(target))


def read(address: Address, last: int = 0) -> bytes:
    """Return an object's content, or only its ``last`` bytes."""
    part = {"Range": f"bytes=-{last}"} if last else {}
    with _one_sentence(address) as store:
        answer = store.get_object(Bucket=address.bucket, Key=address.key, **part)
        return bytes(answer["Body"].read())


def upload(source: Path, address: Address) -> None:
    """Make a file's content an object, whole or not at all."""
    with _one_sentence(address) as store:
        store.upload_file(str(source), address.bucket, address.key)


def local_copy(path: str, folder: Path, setting: str) -> Path:
    """Return where the file or folder of a setting lies on this machine, once it lies there.

    Parameters
    ----------
    path : a path, which is returned as it is, or an address
    folder : takes the copy of what an address names

    Raises
    ------
    UserError
        When nothing is there, or the store cannot be read.
    """
    if not is_address(path):
        return Path(path).expanduser()
    address = Address.parse(path, setting)
    if version(address) is not None:
        download(address, folder / address.name)
        return folder / address.name
    names = versions(address, deep=True)
    if not names:
        raise absent(address, setting)
    for name in names:
        download(address / name, folder / address.name / name)
    return folder / address.name


def absent(address: Address, setting: str) -> UserError:
    """Return the sentence that an address names nothing."""
    return UserError(
        f"{setting} {address} names no object and no folder of objects at {_endpoint_named()}: "
        "give the address of one."
    )


def _endpoint() -> str | None:
    """Return the store's URL where the environment names it for us and not for boto3."""
    if os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        return None
    return os.environ.get("MLFLOW_S3_ENDPOINT_URL") or None


def _endpoint_named() -> str:
    """Return the store's host and port, without the login that a URL may carry."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")
    url = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return urlsplit(url).netloc.rpartition("@")[2] or "the store"


@contextmanager
def _one_sentence(address: Address) -> Iterator[Any]:
    """Enter with a client of the store; what it raises ends in one sentence about the address."""
    with missing_library_named(f"{_SCHEME} addresses"):
        import boto3
        from boto3.exceptions import S3UploadFailedError
        from botocore.config import Config
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            EndpointConnectionError,
            HTTPClientError,
            NoCredentialsError,
            PartialCredentialsError,
        )
    try:
        # A session of its own: the shared one would go on with the keys it met first.
        session = boto3.Session()
        yield session.client(
            "s3",
            endpoint_url=_endpoint(),
            # A store of one's own has no regions, but every signature names one.
            region_name=os.environ.get("AWS_REGION") or session.region_name or "us-east-1",
            config=Config(connect_timeout=5, retries={"mode": "standard", "max_attempts": 4}),
        )
        return
    except (NoCredentialsError, PartialCredentialsError):
        said = "no credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    except (EndpointConnectionError, HTTPClientError) as error:
        said = (
            f"{_endpoint_named()} does not answer ({type(error).__name__}): check "
            "AWS_ENDPOINT_URL (or MLFLOW_S3_ENDPOINT_URL) and the network"
        )
    except (ClientError, S3UploadFailedError) as error:
        said = _refusal(error if isinstance(error, ClientError) else error.__context__)
    except (BotoCoreError, ValueError) as error:  # settings of boto3 that make no sense
        said = (
            f"the store's settings cannot be used ({type(error).__name__}): check "
            "AWS_ENDPOINT_URL (or MLFLOW_S3_ENDPOINT_URL), AWS_PROFILE and AWS_DEFAULT_REGION"
        )
    except OSError as error:
        said = f"the file on this machine cannot be read or written: {error.strerror}"
    raise UserError(f"{address} cannot be reached: {said}.")


def _refusal(error: Any) -> str:
    code = str(getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__))
    if code in _ABSENCES:
        return "there is no such bucket or object; check the address"
    if code in _REFUSALS:
        return (
            f"{_endpoint_named()} refuses these credentials ({code}): check AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and what they may read and write"
        )
    return f"{_endpoint_named()} says {code}"
