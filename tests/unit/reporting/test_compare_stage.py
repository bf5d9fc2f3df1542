import pytest

from recdistill.runs import stage

from .small_runs import Store


def compare(*words):
    from projects import compare as module

    stage(module.run, module.Config, "compare", list(words))


def newest_comparison(store: Store):
    return store.client.search_runs([store.experiment], "tags.stage = 'compare'")[0]


def test_the_stage_keeps_report_note_metrics_and_prints_where_to_look(store, capsys):
    store.write("counter", strength=1.0)
    for seed in (0, 1, 2):
        store.write("sasrec", seed=seed, strength=2.5)
    compare("--n_resamples", "300")
    said = capsys.readouterr().out
    run = newest_comparison(store)
    assert run.info.status == "FINISHED"
    kept = {f.path for f in store.client.list_artifacts(run.info.run_id)}
    assert {"report.html", "comparison.md", "comparison.json", "comparison.csv", "plots"} <= kept
    assert run.data.metrics["delta/recall_at_10/sasrec_vs_floor"] > 0
    assert 0 < run.data.metrics["p/recall_at_10/sasrec_vs_floor"] <= 1
    assert "sasrec beats the best floor, counter" in run.data.tags["mlflow.note.content"]
    assert "| sasrec" in said
    assert "/#/compare-runs?runs=" in said
    assert "viewStateShareKey=" in said
    assert f"runs/{run.info.run_id}/artifacts/report.html" in said


def test_runs_on_other_data_end_in_one_sentence_and_a_failed_run(store, capsys):
    store.write("sasrec", name="one")
    store.write("gru4rec", name="two", tags={"split.digest": "different"})
    with pytest.raises(SystemExit) as left:
        compare("--runs", "one,two")
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "cannot be compared" in said
    assert "Traceback" not in said
    run = newest_comparison(store)
    assert run.info.status == "FAILED"
    assert "'two'" in run.data.tags["error"]
    assert not store.client.list_artifacts(run.info.run_id, "report.html")
    assert run.data.metrics == {}
