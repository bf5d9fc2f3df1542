import json

import pandas as pd
import pytest

from recdistill.errors import UserError
from recdistill.evaluation import compare_paired, evaluate, load_evaluation, write_evaluation


@pytest.fixture
def evaluation(scorer, cases, catalog, train):
    return evaluate(scorer, cases, catalog, train)


def test_what_is_written_reads_back_as_the_same_evaluation(evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path / "evaluation")
    again = load_evaluation(tmp_path / "evaluation")
    assert again.metrics() == evaluation.metrics()
    pd.testing.assert_frame_equal(again.per_user, evaluation.per_user)
    assert again.per_user.attrs == evaluation.per_user.attrs
    assert compare_paired([again.per_user], [evaluation.per_user]).delta == 0


def test_the_summary_holds_value_hits_interval_protocol_and_digests(evaluation, tmp_path):
    write_evaluation(evaluation, tmp_path)
    summary = json.loads((tmp_path / "recall@10.json").read_text())
    metrics = evaluation.metrics()
    assert summary["value"] == metrics["recall_at_10"]
    assert summary["hits"] == metrics["hits_at_10"]
    assert summary["n"] == len(evaluation.per_user)
    assert summary["interval"] == [metrics["recall_at_10_low"], metrics["recall_at_10_high"]]
    assert summary["unmasked"]["value"] == metrics["unmasked/recall_at_10"]
    for key in ("protocol", "catalog_digest", "cases_digest", "model"):
        assert summary[key] == evaluation.per_user.attrs[key]


def test_the_picture_is_a_png_with_both_curves(evaluation, tmp_path):
    paths = write_evaluation(evaluation, tmp_path)
    assert {p.name for p in paths} == {"per_user.parquet", "recall@10.json", "recall@10.png"}
    assert (tmp_path / "recall@10.png").read_bytes().startswith(b"\x89PNG")


def test_a_folder_without_an_evaluation_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no per_user\.parquet"):
        load_evaluation(tmp_path)
