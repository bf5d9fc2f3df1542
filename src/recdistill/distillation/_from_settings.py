"""From the settings of a distillation to what a fit takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recdistill.distillation._distil_student import Fusion, Teaching
from recdistill.lessons import Lessons, control_lessons, item_vectors
from recdistill.students import load_model

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.distillation._changes import StudentChanges
    from recdistill.distillation._settings import DistillSettings
    from recdistill.lessons import Sources, Teachers
    from recdistill.training import StudentRecipe


def ask_teachers(settings: DistillSettings, teachers: Teachers) -> Lessons:
    """Ask the teachers for the lists that these settings want."""
    return teachers.lessons(
        settings.top_k,
        min_coverage=settings.min_coverage,
        selection=settings.selection_config(),
        seed=settings.seed,
    )


def lessons_given(
    settings: DistillSettings, said: Lessons, baseline: StudentRecipe, data: PreparedData
) -> Lessons:
    """Return what the student is given of what the teachers said.

    Without a term that is nothing, on the histories themselves: the baseline. A control is given
    something else in its place.
    """
    if not settings.term_weights() and settings.control != "no_lists":
        return Lessons.none(data.train)
    return control_lessons(settings.control, said, data, baseline.architecture, seed=settings.seed)


def resolve_changes(
    settings: DistillSettings, baseline: StudentRecipe, data: PreparedData, given: Lessons
) -> StudentChanges:
    """Say what differs from the baseline's training, with nothing left open."""
    on_views = bool(settings.transfer_run) and given.sequences is not data.train
    return settings.resolved(
        baseline,
        data.train,
        given.sequences if on_views else None,
        with_lists=bool(settings.term_weights()),
    )


def build_teaching(
    settings: DistillSettings,
    changes: StudentChanges,
    given: Lessons,
    sources: Sources,
    data: PreparedData,
) -> Teaching:
    """Put together what the student learns from beside its targets."""
    fusion = start = None
    if settings.fusion_weight:
        vectors = torch.from_numpy(item_vectors(sources, data))
        fusion = Fusion(vectors, settings.fusion_weight, settings.fusion)
    if settings.warm_start:
        before = load_model(sources.baseline.artifact("model"), data.catalog)
        start = before.model.state_dict()
    return Teaching(
        given,
        settings.term_weights(),
        settings.term_configs(),
        settings.annealing,
        loss_weight=1.0 if changes.loss_weight is None else changes.loss_weight,
        inspect_every=settings.inspect_every,
        fusion=fusion,
        start=start,
    )
