"""Arms, grid and plan: everybody is asked the same, and it is said before it is done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.audit import Arm, AuditPlan, Grid, Setting, arms_of
from recdistill.errors import UserError
from recdistill.students import Architecture

OWN = Architecture(dropout=0.2, item="text", delta=0.5)


def plan(n_seeds: int = 3, n_draws: int = 3, **grid: list) -> AuditPlan:
    return AuditPlan(arms_of(["a/minilm"], {}), Grid(**grid), OWN, n_seeds, n_draws)


def test_every_encoder_has_its_random_weights_and_the_first_its_permuted_texts() -> None:
    arms = arms_of(["hub/one", "two/"], {"ilora": ("r1", "pretrained"), "drawn": ("r2", "random")})
    assert [(arm.name, arm.kind) for arm in arms] == [
        ("ids", "ids"),
        ("tfidf", "words"),
        ("one", "pretrained"),
        ("one-random", "random"),
        ("one-permuted", "permuted"),
        ("two", "pretrained"),
        ("two-random", "random"),
        ("ilora", "pretrained"),
        ("drawn", "random"),
    ]
    by_name = {arm.name: arm for arm in arms}
    assert by_name["one-random"].vectors(2) == {
        "encoder": "hub/one",
        "weights": "random",
        "seed": 2,
    }
    assert by_name["one-permuted"].vectors(1) == {"encoder": "hub/one", "permuted": True, "seed": 1}
    assert by_name["one"].vectors(2) == {"encoder": "hub/one", "seed": 0}
    # A teacher on random weights was drawn when it was trained.
    assert by_name["drawn"].vectors(2) == {"teacher_run": "r2", "seed": 0}


@pytest.mark.parametrize(
    ("encoders", "said"),
    [
        ([], "no language model"),
        (["tfidf"], "arm of every audit"),
        (["x/a", "y/a"], "both called a"),
    ],
)
def test_what_cannot_be_audited_is_named(encoders: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        arms_of(encoders, {})


@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.5]), max_size=4),
    st.lists(st.sampled_from([0.0, 0.3]), min_size=1, max_size=3),
    st.lists(st.sampled_from([64, 128]), min_size=1, max_size=3),
    st.integers(2, 6),
    st.integers(1, 6),
)
def test_arms_with_text_are_tried_alike_and_the_counts_add_up(
    dropout: list[float], id_dropout: list[float], dim: list[int], n_seeds: int, n_draws: int
) -> None:
    found = plan(n_seeds, n_draws, dropout=dropout, id_dropout=id_dropout, dim=dim)
    ids, *texts = found.arms
    tried = [found.settings(arm) for arm in texts]
    assert all(one == tried[0] for one in tried)
    assert len(set(tried[0])) == len(tried[0])
    assert {s.dropout for s in tried[0]} == {s.dropout for s in found.settings(ids)}
    trials = sum(len(found.settings(a)) for a in found.arms if len(found.settings(a)) > 1)
    drawn = sum(arm.is_drawn for arm in found.arms)
    tested = n_seeds * (len(found.arms) - drawn) + drawn * max(n_seeds, n_draws)
    assert found.n_all == trials + tested
    assert f"{found.n_all} trainings; {trials} of them" in found.words()


def test_a_setting_changes_the_items_and_nothing_else() -> None:
    text, ids = Arm("tfidf", "words", "tfidf"), Arm("ids", "ids")
    with_text = Setting(0.4, 0.3, 64).applied_to(OWN, text)
    assert (with_text.item, with_text.id_dropout, with_text.dropout) == ("id+text", 0.3, 0.4)
    assert with_text.delta == 0  # for items of text alone
    assert Setting(0.4).applied_to(OWN, ids).item == "id"
    assert plan(dropout=[]).settings(ids) == [Setting(0.2)]


def test_the_edge_of_what_was_tried_is_named() -> None:
    grid = Grid(dropout=[0.5, 0.3, 0.4], id_dropout=[0.0, 0.1, 0.3], dim=[64, 128])
    assert grid.at_edge(Setting(0.5)) == ["dropout=0.5"]
    assert grid.at_edge(Setting(0.4, 0.3, 128)) == ["id_dropout=0.3"]
    assert grid.at_edge(Setting(0.4, 0.0, 64)) == []


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ({"dropout": [0.2, 1.0]}, "grid.dropout has 1.0"),
        ({"id_dropout": []}, "grid.id_dropout is empty"),
        ({"dim": [0]}, "dim is 0"),
        ({"reduction": ["tsne"]}, "reduction is 'tsne'"),
    ],
)
def test_an_impossible_grid_is_named(grid: dict[str, list], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Grid(**grid)


def test_the_estimate_is_of_all_trainings() -> None:
    found = plan()
    assert found.n_all == 25
    assert "25 trainings of at most 16 epochs take 2.2 hours at most" in found.estimate(20.0, 16)
    assert "take 7 minutes" in found.estimate(1.0, 16)
