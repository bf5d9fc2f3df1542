import json
from urllib.parse import parse_qs, unquote, urlsplit

from recdistill.reporting import compare_url, run_url, save_view, table_url, ui_base


def query(url):
    return parse_qs(urlsplit(url).fragment.partition("?")[2])


def test_base_is_the_server_or_where_make_ui_serves():
    assert ui_base("https://host:8000/mlflow/") == "https://host:8000/mlflow"
    assert ui_base("sqlite:///mlflow.db") == "http://127.0.0.1:5000"


def test_compare_url_carries_runs_and_each_experiment_once():
    found = query(compare_url("http://h", ["a", "b"], ["2", "1", "2"]))
    assert json.loads(found["runs"][0]) == ["a", "b"]
    assert json.loads(found["experiments"][0]) == ["1", "2"]


def test_table_url_keeps_filter_and_order_whatever_signs_they_hold():
    condition = "tags.dataset = 'a&b' AND metrics.`test/x` > 0"
    found = query(table_url("http://h", "3", condition=condition, order_by="metrics.`a/b`"))
    assert found["searchFilter"] == [condition]
    assert found["orderByKey"] == ["metrics.`a/b`"]
    assert found["orderByAsc"] == ["false"]


def test_run_url_opens_a_tab():
    url = run_url("http://h", "3", "abc", "artifacts/report.html")
    assert unquote(url) == "http://h/#/experiments/3/runs/abc/artifacts/report.html"


def test_a_saved_view_is_kept_once_in_the_experiment(store):
    key = save_view(store.client, store.experiment, columns=["metrics.`x`"])
    assert save_view(store.client, store.experiment, columns=["metrics.`x`"]) == key
    tags = store.client.get_experiment(store.experiment).tags
    state = json.loads(tags[f"mlflow.sharedViewState.{key}"])
    assert state["selectedColumns"] == ["metrics.`x`"]
    assert f"viewStateShareKey={key}" in table_url("http://h", store.experiment, view=key)
