"""No address leads out of the server's store."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking._locations import wish_for_elsewhere, wish_in, within

STORE = "s3://recdistill/artifacts"
CREATE = "/ajax-api/2.0/mlflow/model-versions/create"


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        (STORE, True),
        (f"{STORE}/1/run/artifacts", True),
        (f"{STORE}-other/1", False),
        ("s3://recdistill/other", False),
        ("s3://other/artifacts/1", False),
        (f"{STORE}/../secrets", False),
        (f"{STORE}/%2e%2e/secrets", False),
        (f"{STORE}/%25252e%25252e/secrets", False),
        (f"{STORE}/1?endpoint=http://evil", False),
        (f"{STORE}/1#x", False),
        ("file:///recdistill/artifacts/1", False),
        ("/artifacts/1", False),
    ],
)
def test_within(uri: str, inside: bool) -> None:
    assert within(STORE, uri) is inside


@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
def test_no_experiment_says_where_it_lies(field: str) -> None:
    path = "/api/2.0/mlflow/experiments/create"
    assert wish_for_elsewhere(path, {"name": "x", field: "file:///"})
    assert not wish_for_elsewhere(path, {"name": "x", field: ""})
    assert not wish_for_elsewhere(path, {"name": "x"})


@pytest.mark.parametrize("source", ["runs:/abc/model", "models:/m-1", "mlflow-artifacts:/1/a"])
def test_models_of_this_server_pass(source: str) -> None:
    assert not wish_for_elsewhere(CREATE, {"name": "m", "source": source})
    assert not wish_for_elsewhere(CREATE, {"name": "a prompt", "source": "prompt-template"})


@given(st.sampled_from(["file", "s3", "http", "https", "ftp", "dbfs", "hdfs", ""]), st.text())
def test_no_other_source_passes(scheme: str, rest: str) -> None:
    source = f"{scheme}://{rest}" if scheme else f"/{rest}"
    assert wish_for_elsewhere(CREATE, {"name": "m", "source": source})
    assert wish_for_elsewhere(CREATE, {"name": "m", "source": f"runs://{rest or 'host'}h/x"})


def test_a_wish_is_found_in_all_that_mlflow_reads_as_one() -> None:
    wish = {"artifact_location": "file:///"}
    assert wish_in(wish) == wish
    assert wish_in(json.dumps(wish)) == wish
    assert [wish_in(body) for body in (None, [], "x", "[]", 3, "")] == [{}] * 6
