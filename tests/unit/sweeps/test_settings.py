"""Dotted settings reach into nested ones, and every copy is checked."""

from __future__ import annotations

import pytest

from projects import distill, train_baseline
from recdistill.errors import UserError
from recdistill.sweeps import with_settings
from recdistill.sweeps._settings import setting_types, type_of


def test_every_leaf_has_its_type() -> None:
    types = setting_types(train_baseline.Config)
    assert types["max_epochs"] is int
    assert types["optimizer.lr"] is float
    assert "optimizer" not in types


def test_settings_are_changed_in_a_copy() -> None:
    before = train_baseline.Config()
    after = with_settings(before, {"optimizer.lr": 0.01, "student.dropout": 0.3, "max_epochs": 2})
    assert (after.optimizer.lr, after.student.dropout, after.max_epochs) == (0.01, 0.3, 2)
    assert before == train_baseline.Config()
    assert after.optimizer.weight_decay == before.optimizer.weight_decay


def test_an_impossible_value_is_refused_as_anywhere_else() -> None:
    with pytest.raises(UserError, match=r"optimizer\.lr"):
        with_settings(train_baseline.Config(), {"optimizer.lr": -1.0})


def test_a_loss_term_of_the_users_own_is_a_setting_like_any_other() -> None:
    types = setting_types(distill.Config)
    assert type_of("terms.order:Order", types) is float
    assert type_of("temrs.order:Order", types) is None
    before = distill.Config(terms={"other:Other": 1.0})
    after = with_settings(before, {"terms.order:Order": 0.3})
    assert after.term_weights()["order:Order"] == 0.3
    assert after.terms["other:Other"] == 1.0
