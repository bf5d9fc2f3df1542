"""Every student keeps the laws of the suite, and its settings are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest
import torch

from recdistill.errors import UserError
from recdistill.students import STUDENT_KINDS, Positions, StudentConfig, build_student
from recdistill.testing import StudentSuite, TimedStudentSuite

if TYPE_CHECKING:
    from recdistill.students import SequentialModel

SMALL = {"dim": 16, "n_heads": 2, "max_length": 12}


class OneOfOurs(StudentSuite):
    """A student of the menu, as the suite wants it."""

    config = StudentConfig(**SMALL)  # type: ignore[arg-type]

    def student(self) -> SequentialModel:
        """See ``StudentSuite``; the seed is drawn from the generator that the suite sets."""
        return build_student(self.config, 40, seed=int(torch.randint(2**31, ())))


def _suite(name: str, **knobs: object) -> type[StudentSuite]:
    config = StudentConfig(**SMALL | knobs)  # type: ignore[arg-type]
    kept = (OneOfOurs,) if config.query_time == "none" else (OneOfOurs, TimedStudentSuite)
    return type(f"Test{name}", kept, {"config": config})


for _kind in STUDENT_KINDS:
    globals()[f"Test_{_kind}"] = _suite(_kind, kind=_kind)
for _positions in get_args(Positions):
    globals()[f"Test_positions_{_positions}"] = _suite(_positions, positions=_positions)
for _query_time in ("last", "known"):
    globals()[f"Test_hstu_{_query_time}"] = _suite(_query_time, kind="hstu", query_time=_query_time)


def test_every_kind_is_built_as_asked():
    for kind in STUDENT_KINDS:
        config = StudentConfig(kind=kind, dim=24, n_blocks=3, n_heads=3, max_length=7)  # type: ignore[arg-type]
        model = build_student(config, 30, seed=0)
        assert (model.n_items, model.dim, model.max_length) == (30, 24, 7)
        assert model.item_table().shape == (31, 24)


def test_a_fed_forward_width_is_the_papers_unless_given():
    width = [
        build_student(StudentConfig(kind, dim=8, ffn_multiplier=given), 5, seed=0)  # type: ignore[arg-type, index, union-attr]
        .blocks[0]
        .outer.in_features
        for kind, given in (("sasrec", None), ("ligr", None), ("ligr", 3))
    ]
    assert width == [8, 32, 24]


def test_building_leaves_the_generator_alone():
    before = torch.get_rng_state()
    build_student(StudentConfig(**SMALL), 40, seed=5)  # type: ignore[arg-type]
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("knobs", "word"),
    [
        ({"kind": "bert"}, "student.kind"),
        ({"positions": "newest"}, "student.positions"),
        ({"dim": 10, "n_heads": 3}, "student.n_heads"),
        ({"dim": 6, "n_heads": 2}, "student.positions"),
        ({"dropout": 1.0}, "student.dropout"),
        ({"max_length": 0}, "student.max_length"),
        ({"ffn_multiplier": 0}, "student.ffn_multiplier"),
        ({"query_time": "now"}, "student.query_time"),
        *(({"kind": k, "query_time": "last"}, "take hstu") for k in ("sasrec", "ligr", "gru4rec")),
    ],
)
def test_impossible_students_are_refused_in_a_sentence(knobs: dict[str, object], word: str):
    with pytest.raises(UserError, match=word):
        StudentConfig(**knobs)  # type: ignore[arg-type]
