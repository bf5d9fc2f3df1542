"""Names of runs: short, and what differs first."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from recdistill.runs._names import LONGEST, metric_word, run_name

WORDS = st.text("abcdefgh0123456789-+._", min_size=1, max_size=80).filter(lambda w: w[0].isalnum())


@given(lead=WORDS, end=st.sampled_from(["s0-baseline", "s12-transfer", "diagnose", "first-of-9"]))
def test_a_name_fits_and_keeps_what_the_run_is(lead: str, end: str) -> None:
    name = run_name(lead, end)
    assert len(name) <= LONGEST
    assert name.endswith(f"-{end}")
    assert name[0] == lead[0]


@given(lead=WORDS.filter(lambda w: not re.search(r"-s\d", w) and len(w) < 15))
def test_a_short_lead_stays_whole(lead: str) -> None:
    assert run_name(lead, "s0-baseline").startswith(lead.rstrip("-+._"))


def test_what_another_run_is_is_not_said_again() -> None:
    assert run_name("sasrec-s0-baseline", "score") == "sasrec-s0-score"
    assert run_name("ease-s0-baseline", "f20-table") == "ease-s0-f20-table"


@given(label=st.text(max_size=200))
def test_a_metric_word_is_one_that_mlflow_takes(label: str) -> None:
    assert re.fullmatch(r"[\w.\-]{0,120}", metric_word(label))
