import json

from mlflow import MlflowClient

from recdistill.runs import _views as views


def test_views_are_written_once_and_other_peoples_stay(store: MlflowClient) -> None:
    client, experiment_id = store, store.create_experiment("e")
    client.set_experiment_tag(experiment_id, "mlflow.sharedViewState.mine", "my own view")
    assert len(views.save_views(client, experiment_id)) == len(views.VIEWS)
    assert views.save_views(client, experiment_id) == {}
    tags = client.get_experiment(experiment_id).tags
    assert tags["mlflow.sharedViewState.mine"] == "my own view"


def test_every_column_has_a_width_its_header_fits_in() -> None:
    for view in views.VIEWS:
        state = view.state()
        for column in state["selectedColumns"]:
            name = column.split("`")[1]
            assert state["columnWidths"][column] >= 7 * len(name)
            assert column in state["columnOrder"]


def test_addresses_survive_a_browser() -> None:
    address = views.comparison_url("http://h", ["1"], ["a", "b"])
    assert address == (
        "http://h/#/compare-runs?runs=%5B%22a%22%2C%20%22b%22%5D&experiments=%5B%221%22%5D"
    )
    assert views.run_url("http://h", "1", "a", "x/y.png").endswith("/runs/a/artifacts/x/y.png")
    assert json.dumps(views.RESULTS.state())
