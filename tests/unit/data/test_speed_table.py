"""The documentation's table is the results file's."""

from __future__ import annotations

import json

from benchmarks.prepare_speed import BEGIN, DOCUMENT, END, RESULTS, table


def test_the_document_has_the_results() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    inside = document.partition(f"{BEGIN}\n")[2].partition(END)[0]
    assert inside == table(json.loads(RESULTS.read_text()))
