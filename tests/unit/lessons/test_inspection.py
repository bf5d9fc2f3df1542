"""The inspection tells a sound table from a shuffled, a stale and a boastful one."""

from dataclasses import replace

import pytest
import torch

from recdistill.lessons import inspect_lessons, shuffled, view_training
from recdistill.students import SASRec


def test_a_teacher_who_knows_the_order_hits_and_shuffling_shows(walks, lessons):
    sound = inspect_lessons(lessons, 30)
    mixed = inspect_lessons(shuffled(lessons, 4), 30)
    assert sound.coverage == 1.0
    assert sound.hit_rate > 2 * sound.hit_rate_shuffled
    assert mixed.hit_rate < 1.5 * mixed.hit_rate_shuffled
    assert sound.repeated_items == 0


def test_agreement_with_itself_is_whole(walks, lessons):
    model = SASRec(30, dim=8, n_blocks=1, max_length=50, dropout=0.0)
    view = view_training(model, walks.train, 5)
    copied = replace(lessons, items=view.items)
    found = inspect_lessons(copied, 30, view)
    assert found.agreement == pytest.approx(1.0)
    assert inspect_lessons(lessons, 30).agreement is None


def test_claims_are_compared_with_hits(walks, lessons):
    hits = (lessons.items == torch.from_numpy(walks.train.items)[:, None]).any(1)
    calibrated = torch.full_like(
        lessons.logits, float(hits[lessons.covered].float().mean() / 5)
    ).log()
    fair = inspect_lessons(replace(lessons, logits=calibrated), 30)
    assert fair.claimed == pytest.approx(fair.hit_rate, abs=1e-5)
    boast = torch.full_like(lessons.logits, 0.2).log()
    loud = inspect_lessons(replace(lessons, logits=boast), 30)
    assert loud.claimed == pytest.approx(1.0, abs=1e-5)
    assert loud.calibration_error > fair.calibration_error


def test_stale_and_repeated_rows_are_seen(walks, lessons):
    items = lessons.items.clone()
    items[lessons.covered] = torch.tensor([1, 2, 3, 4, 4], dtype=torch.int32)
    found = inspect_lessons(replace(lessons, items=items), 30)
    assert found.stale == found.repeated_items == found.most_common_list == 1.0
