import json

import pytest
from starlette.testclient import TestClient

from recdistill.runs import _ui


@pytest.fixture(scope="module")
def visitor() -> TestClient:
    return TestClient(_ui.create_app(), base_url="http://localhost")


def test_first_page_brings_the_settings_before_mlflows_own_scripts(visitor: TestClient) -> None:
    page = visitor.get("/").text
    workflow = json.dumps(_ui._SETTINGS)
    assert page.index(workflow) < page.index("static-files")


def test_assistant_is_not_served_and_the_rest_is(visitor: TestClient) -> None:
    assert visitor.get("/ajax-api/3.0/mlflow/assistant/config").status_code == 404
    assert visitor.get("/health").status_code == 200
