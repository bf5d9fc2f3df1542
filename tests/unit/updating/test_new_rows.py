"""A new item's row: ranked where users took it, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.data import Sequences
from recdistill.students import StudentConfig, build_student, grow_student
from recdistill.updating import _new_rows
from recdistill.updating._new_rows import fit_new_rows

N_OLD, NEW = 30, 31
CONFIG = StudentConfig(dim=16, n_blocks=1, n_heads=1, max_length=20, dropout=0.0)


@pytest.fixture
def shop() -> tuple[torch.nn.Module, Sequences, np.ndarray]:
    """A grown student of random rows; after item 7, and only there, users took the new item."""
    model = build_student(CONFIG, N_OLD, seed=1)
    with torch.no_grad():
        model.item_table()[1:] = torch.randn(N_OLD, 16, generator=torch.Generator().manual_seed(2))
    random = np.random.default_rng(0)
    histories = [[*random.integers(1, N_OLD + 1, 6), 7, NEW] for _ in range(20)]
    histories += [[*random.integers(8, N_OLD + 1, 8)] for _ in range(40)]
    train = Sequences.from_lists([[int(item) for item in row] for row in histories])
    known = np.ones(N_OLD + 1, np.bool_)
    grown, _rows = grow_student(model, CONFIG, NEW, train, trained=known)
    return grown, train, np.full(len(train), 2)


def n_above(model: torch.nn.Module, train: Sequences) -> torch.Tensor:
    """Count the items that the model ranks above the new one, where users took it."""
    items = torch.from_numpy(train.take(np.arange(20)).padded())[:, :-1]
    model.eval()
    with torch.no_grad():
        scores = model.encode(items)[:, -1] @ model.item_table()[1:].T  # [20, n_items]
    return (scores > scores[:, -1:]).sum(1)


@pytest.mark.parametrize("most_others", [20_000, 30])
def test_a_new_item_is_ranked_where_users_took_it(
    shop: tuple[torch.nn.Module, Sequences, np.ndarray],
    most_others: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_new_rows, "_MOST_OTHERS", most_others)
    model, train, n_new = shop
    before = n_above(model, train)
    fit_new_rows(model, train, n_new, np.arange(NEW + 1) == NEW, seed=0)
    assert before.float().mean() > 2
    assert n_above(model, train).float().mean() < 1


def test_nothing_but_the_rows_of_new_items_moves(
    shop: tuple[torch.nn.Module, Sequences, np.ndarray],
) -> None:
    model, train, n_new = shop
    model.train()
    old = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fit_new_rows(model, train, n_new, np.arange(NEW + 1) == NEW, seed=0)
    assert model.training
    moved = {name for name, tensor in model.state_dict().items() if not tensor.equal(old[name])}
    (table,) = moved
    assert model.state_dict()[table][:NEW].equal(old[table][:NEW])


def test_items_without_interactions_stay_where_they_start(
    shop: tuple[torch.nn.Module, Sequences, np.ndarray],
) -> None:
    model, _train, _n_new = shop
    old = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    unmet = Sequences.from_lists([[1, 2, 3], [4, 5, 6]])
    fit_new_rows(model, unmet, np.array([1, 1]), np.arange(NEW + 1) == NEW, seed=0)
    assert all(tensor.equal(old[name]) for name, tensor in model.state_dict().items())
