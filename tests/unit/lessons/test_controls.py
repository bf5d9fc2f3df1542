"""Controls keep everything about a lesson but what the teacher knows."""

import pytest
import torch

from recdistill.lessons import CONTROLS, control_lessons
from recdistill.students import StudentConfig

SMALL = StudentConfig(dim=8, n_blocks=1, n_heads=1, max_length=20)
LISTS = [name for name in CONTROLS if name != "no_lists"]


@pytest.fixture(params=LISTS)
def control(request, walks, lessons):
    return control_lessons(request.param, lessons, walks, SMALL, seed=1)


def test_positions_weights_and_lengths_stay(control, lessons):
    assert control.sequences is lessons.sequences
    assert torch.equal(control.covered, lessons.covered)
    assert torch.equal(control.weights, lessons.weights)
    assert control.items.shape == lessons.items.shape


def test_no_list_names_an_item_twice(control):
    listed = control.items[control.covered].sort(1).values
    assert ((listed.diff(dim=1) > 0) | (listed[:, 1:] == 0)).all()
    assert int(listed.max()) <= 30


def test_the_lists_are_others_and_hit_the_targets_less(control, lessons):
    covered = lessons.covered
    targets = torch.from_numpy(lessons.sequences.items)[covered][:, None]
    known, chance = (float((x.items[covered] == targets).float().sum()) for x in (lessons, control))
    assert chance < known / 2


def test_drawn_lists_keep_the_teachers_probabilities(walks, lessons):
    drawn = control_lessons("random_lists", lessons, walks, SMALL, seed=1)
    assert torch.equal(drawn.logits, lessons.logits)
    again = control_lessons("random_lists", lessons, walks, SMALL, seed=2)
    assert not torch.equal(drawn.items, again.items)


def test_without_a_control_the_lessons_are_as_they_were(walks, lessons):
    assert control_lessons("none", lessons, walks, SMALL, seed=1) is lessons
    silent = control_lessons("no_lists", lessons, walks, SMALL, seed=1)
    assert silent.sequences is lessons.sequences
    assert not silent.covered.any()
