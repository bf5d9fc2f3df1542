"""What an item's vector is made of, and that training and serving mean the same by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

from recdistill.data import Sequences
from recdistill.errors import UserError
from recdistill.students import (
    SequentialModel,
    StudentConfig,
    add_text,
    build_student,
    fold_text,
    score_histories,
)
from recdistill.students._item_content import ItemContent
from recdistill.texts import ItemVectors

N_ITEMS, TEXT_DIM = 30, 6
NEVER_MET = 29
MET = np.ones(N_ITEMS + 1, bool)
MET[[0, NEVER_MET]] = False
ROWS = [[1, 4, 2, 9], [5, NEVER_MET, 3], [7]]


def texts(n_items: int = N_ITEMS) -> ItemVectors:
    values = np.random.default_rng(0).standard_normal((n_items + 1, TEXT_DIM)).astype(np.float32)
    values[0] = 0
    return ItemVectors(values, "catalog", {"encoder": "drawn"})


def student(
    kind: str = "sasrec", item: str = "id+text", *, regress: bool = False, **content: float
) -> SequentialModel:
    config = StudentConfig(kind, dim=16, max_length=10, item_start="random")  # type: ignore[arg-type]
    model = build_student(config, N_ITEMS, seed=0)
    made_of = ItemContent(item, **content)  # type: ignore[arg-type]
    add_text(model, texts(), made_of, MET, regress=regress, seed=0)
    return model


def table(model: SequentialModel) -> torch.Tensor:
    return model.item_table().detach()


def plain(kind: str = "sasrec") -> SequentialModel:
    config = StudentConfig(kind, dim=16, max_length=10, item_start="random")  # type: ignore[arg-type]
    return build_student(config, N_ITEMS, seed=0)


@pytest.mark.parametrize("kind", ["sasrec", "gru4rec"])
@pytest.mark.parametrize("item", ["text", "id+text"])
def test_folding_changes_no_score_of_what_training_met(kind: str, item: str) -> None:
    model = student(kind, item).eval()
    met = [[i for i in row if i != NEVER_MET] for row in ROWS]
    histories = Sequences.from_lists(ROWS if item == "text" else met)
    before = score_histories(model, histories)
    said = fold_text(model, {"encoder": "drawn"}, MET.astype(int))
    assert said is not None
    kept = slice(None) if item == "text" else np.flatnonzero(np.arange(N_ITEMS + 1) != NEVER_MET)
    torch.testing.assert_close(score_histories(model, histories)[:, kept], before[:, kept])
    # A plain student again: the same weights by the same names.
    assert set(model.state_dict()) == set(plain(kind).state_dict())
    assert (said.texts is None) == (item == "text")
    its_text = torch.from_numpy(texts().values[NEVER_MET])[None]
    placed = said.place(table(model), its_text)[0]
    torch.testing.assert_close(table(model)[NEVER_MET], placed)
    if item == "text":
        torch.testing.assert_close(placed, its_text[0] @ said.projection)


@pytest.mark.parametrize("regress", [True, False])
def test_the_length_of_the_texts_vectors_says_nothing(regress: bool) -> None:
    longer = ItemVectors(texts().values * 50, "catalog", {})
    models = []
    for vectors in (texts(), longer):
        model = plain()
        add_text(model, vectors, ItemContent("id+text"), MET, regress=regress, seed=0)
        models.append(model.eval())
    torch.testing.assert_close(table(models[0]), table(models[1]), atol=1e-6, rtol=1e-4)
    maps = [fold_text(model, {}, MET.astype(int)) for model in models]
    assert maps[0] is not None
    assert maps[1] is not None
    torch.testing.assert_close(maps[0].projection, maps[1].projection * 50, atol=1e-6, rtol=1e-4)


def test_a_plain_student_has_nothing_to_fold() -> None:
    assert fold_text(plain(), {}, MET.astype(int)) is None


def test_with_a_regressed_start_the_student_starts_where_it_would_without_text() -> None:
    model = student(regress=True).eval()
    expected, found = table(plain()), table(model)
    torch.testing.assert_close(found[MET], expected[MET], atol=1e-6, rtol=1e-4)
    # Who was never met is placed by what the texts of the others say.
    assert not torch.allclose(found[NEVER_MET], expected[NEVER_MET], atol=1e-3)


def test_the_regression_finds_a_table_that_the_texts_explain() -> None:
    model = plain()
    values = torch.from_numpy(texts().values)
    wanted = torch.randn(TEXT_DIM, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.item_table().copy_(values @ wanted)
    add_text(model, texts(), ItemContent("text"), MET, regress=True, seed=0)
    torch.testing.assert_close(table(model.eval()), values @ wanted, atol=0.1, rtol=0.02)


def test_input_and_output_see_the_same_table_in_a_step() -> None:
    model = student(id_dropout=0.5).train()
    with parametrize.cached():
        first, second = model.item_table(), model.item_table()
        assert first is second
    with parametrize.cached():
        assert not torch.equal(model.item_table(), first)


def test_dropped_ids_leave_the_text_and_serving_drops_none() -> None:
    model = student(id_dropout=0.5)
    embedding = model.items  # type: ignore[attr-defined]
    part = embedding.parametrizations["weight"][0]
    own = embedding.parametrizations["weight"].original.detach()
    said = (part.texts @ part.projection).detach()
    torch.manual_seed(3)
    drawn = table(model.train())
    alone = torch.isclose(drawn, said, atol=1e-7).all(1)
    both = torch.isclose(drawn, said + own, atol=1e-7).all(1)
    items = np.flatnonzero(MET)
    assert (alone | both)[items].all()
    assert 5 < int(alone[items].sum()) < 25
    torch.testing.assert_close(table(model.eval())[items], (said + own)[items])


def test_nothing_is_learned_from_an_item_that_training_never_met() -> None:
    model = student().train()
    assert not table(model)[NEVER_MET].any()
    model.item_table().square().sum().backward()
    own = model.items.parametrizations["weight"].original  # type: ignore[attr-defined]
    assert not own.grad[NEVER_MET].any()
    assert own.grad[1].any()


def test_an_item_moves_no_further_from_its_text_than_allowed() -> None:
    model = student(item="text", delta=0.5)
    original = model.items.parametrizations["weight"].original  # type: ignore[attr-defined]
    part = model.items.parametrizations["weight"][0]  # type: ignore[attr-defined]
    said = (part.texts @ part.projection).detach()
    torch.testing.assert_close(table(model.eval()), said)  # it starts at its text
    with torch.no_grad():
        original.normal_(std=10.0)
    moved = (table(model) - said).norm(dim=1)
    torch.testing.assert_close(moved[MET], 0.5 * said.norm(dim=1)[MET])
    assert moved[NEVER_MET] == 0
    with torch.no_grad():
        original.mul_(1e-6)
    torch.testing.assert_close(
        (table(model) - said)[MET], original.detach()[MET], atol=1e-8, rtol=0.1
    )


def test_a_start_draws_nothing_from_the_global_generator() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    student(id_dropout=0.5)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("item", "change", "said"),
    [
        ("words", {}, "student.item is 'words'"),
        ("id+text", {"id_dropout": 1.0}, "must be in"),
        ("text", {"id_dropout": 0.3}, "student.id_dropout is for student.item=id\\+text"),
        ("id", {"delta": 0.3}, "student.delta is for student.item=text"),
        ("text", {"delta": -1.0}, "must not be negative"),
    ],
)
def test_impossible_settings_are_named(item: str, change: dict[str, float], said: str) -> None:
    with pytest.raises(UserError, match=said):
        replace(StudentConfig(), item=item, **change)  # type: ignore[arg-type]


def test_vectors_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match="different catalogs"):
        add_text(plain(), texts(7), ItemContent("text"), MET, regress=False, seed=0)
