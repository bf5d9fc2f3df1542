"""An audit says what its arms show: on arms of known strength."""

from __future__ import annotations

import json
import math

import pytest

from recdistill.audit import caveats, verdict
from recdistill.data import STRATA
from recdistill.reporting import language_csv, language_markdown, render_language_audit
from tests.unit.audit.small_audits import ARMS, N_USERS, audited, result

WITH_WORDS = {"tfidf": 1.0, "minilm": 1.0, "minilm-random": 1.0}


def sentence(found, head: str) -> str:
    return next(s for s in verdict(found) if s.startswith(head))


def test_shared_words_are_told_from_pretraining() -> None:
    found = audited(WITH_WORDS)
    assert "p<0.001" in sentence(found, "Texts add: ")
    assert sentence(found, "What pretraining adds beyond the words is not shown: minilm less ")
    assert sentence(found, "It matters whose text an item has: minilm less minilm-permuted")


def test_pretraining_that_adds_over_both_controls_is_said_to() -> None:
    found = audited(WITH_WORDS | {"minilm": 1.6})
    said = sentence(found, "Pretraining adds beyond the words: ")
    assert "minilm less minilm-random" in said
    assert "minilm less tfidf" in said


def test_pretraining_that_beats_one_control_is_not_a_verdict() -> None:
    found = audited({"tfidf": 1.6, "minilm": 1.6, "minilm-random": 1.0})
    assert "adds over minilm-random, which is not shown over tfidf" in sentence(
        found, "Pretraining adds over"
    )


def test_a_loss_is_called_one() -> None:
    found = audited({"ids": 1.5, "tfidf": 1.0, "minilm": 0.6, "minilm-random": 1.2})
    assert "\u2212" in sentence(found, "Texts do harm: tfidf less ids")
    assert sentence(found, "Pretraining does worse than minilm-random and tfidf")


def test_nothing_is_claimed_where_all_arms_are_alike() -> None:
    said = " ".join(verdict(audited({})))
    assert "What texts add is not shown" in said
    assert "What pretraining adds beyond the words is not shown" in said
    assert "The same vectors dealt out to other items do as well" in said
    assert "Texts add:" not in said


def test_the_arm_of_the_verdict_is_chosen_on_validation() -> None:
    found = audited(WITH_WORDS | {"minilm": 1.5}, tfidf={"val_ndcg": 9.0})
    assert found.best_text == "tfidf"
    # A control never stands for texts, however well it validates.
    assert audited({"minilm": 1.0}, **{"minilm-random": {"val_ndcg": 9.0}}).best_text == "minilm"


def test_it_is_said_for_whom() -> None:
    found = audited({}, minilm={"popular": 1.0, "val_ndcg": 9.0})
    told = sentence(found, "For whom, minilm less ids: ")
    assert "20 times or more" in told
    assert "5 to 19" not in told
    gains = found.answers("texts", "minilm")[0].strata
    assert [gain.stratum for gain in gains] == list(STRATA)
    assert sum(gain.n_cases for gain in gains) == N_USERS
    assert found.answers("texts", "minilm")[0].delta == pytest.approx(
        sum(gain.n_cases * gain.delta for gain in gains) / N_USERS
    )


def test_both_tests_must_pass_and_all_are_corrected_together() -> None:
    for one in audited(WITH_WORDS).differences:
        assert one.p == max(one.over_users.p, one.over_items.p)
        assert one.p_adjusted >= one.p
        assert one.over_items.delta == pytest.approx(one.over_users.delta)
        assert one.over_items.n_users < one.over_users.n_users


def test_the_cost_is_of_the_same_targets() -> None:
    found = audited(WITH_WORDS, minilm={"targets_per_cpu_second": 800.0, "val_ndcg": 9.0})
    assert found.cost("ids") == 1
    assert found.cost("minilm") == pytest.approx(1.25)
    assert "1.25 times the processor time" in sentence(found, "A training step with texts")


def test_what_limits_the_verdict_is_said() -> None:
    found = audited(WITH_WORDS, minilm={"n_tried": 8, "at_edge": ["dropout=0.5"], "val_ndcg": 9.0})
    said = " ".join(caveats(found))
    assert "Ids chose among 2 settings, texts among 8" in said
    assert "minilm chose dropout=0.5, at the edge" in said
    assert "15 models have met this test part" in said
    assert "quick" not in said


def test_a_teacher_is_held_to_a_teacher_of_random_weights() -> None:
    from recdistill.audit import arms_of, measure

    arms = arms_of(["minilm"], {"ilora": ("r1", "pretrained"), "drawn": ("r2", "random")})
    found = measure([result(arm, 0.5) for arm in arms], {"dataset": "d", "model": "m"})
    pairs = {(d.of, d.against) for d in found.answers("pretraining")}
    assert ("ilora", "drawn") in pairs
    assert ("ilora", "minilm-random") not in pairs
    assert ("minilm", "drawn") not in pairs


def test_page_table_and_words_say_the_same() -> None:
    found = audited(WITH_WORDS)
    page, text = render_language_audit(found, "r1"), language_markdown(found)
    for one in verdict(found):
        assert one in text
        assert one.split(":")[0] in page
    assert page.count("<svg") == 2
    assert "nan" not in text
    rows = language_csv(found).splitlines()
    assert len(rows) == 1 + len(ARMS)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(plain["arms"]) == len(ARMS)
    assert "tables" not in plain["arms"][0]
    assert all(math.isfinite(one["delta"]) for one in plain["differences"])
