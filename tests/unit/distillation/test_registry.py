"""Terms of a user's own: taken from a file by name, and part of what makes a run what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.distillation import TermConfigs, TermInputs, build_term, sources_digest
from recdistill.errors import UserError
from recdistill.lessons import Lessons

if TYPE_CHECKING:
    from pathlib import Path

TERM = """
from recdistill.distillation import Question, Term

class Mine(Term):
    name = "mine"

    def ask(self, lesson, targets, n_items):
        return Question(lesson.items, (), lesson.weights)

    def row_losses(self, answer, *given):
        return answer.scores.sum(1)
"""


@pytest.fixture
def inputs() -> TermInputs:
    empty = torch.zeros(1, 1)
    lessons = Lessons(torch.tensor([0, 1]), empty.int(), empty, empty[0], empty[0])
    return TermInputs(lessons, torch.zeros(2))


def test_a_term_comes_from_a_file_of_the_users_own(
    inputs: TermInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_term.py").write_text(TERM)
    monkeypatch.syspath_prepend(tmp_path)
    assert build_term("own_term:Mine", TermConfigs(), inputs).name == "mine"
    before = sources_digest(["ranking", "own_term:Mine"])
    (tmp_path / "own_term.py").write_text(TERM + "# changed\n")
    assert sources_digest(["own_term:Mine"]) != before
    assert sources_digest(["ranking"]) == ""


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nobody_wrote_this:Term", "cannot be imported"),
        ("json:Nothing", "json has no Nothing"),
        ("json:JSONDecoder", "must be a class derived from distillation.Term"),
        ("rankings", "take one of ranking, listwise, dros"),
    ],
)
def test_what_is_no_term_is_refused_in_a_sentence(
    name: str, complaint: str, inputs: TermInputs
) -> None:
    with pytest.raises(UserError, match=complaint):
        build_term(name, TermConfigs(), inputs)
