"""A teacher's network from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from recdistill.teachers._network import TeacherNetwork

if TYPE_CHECKING:
    from recdistill.data import Catalog
    from recdistill.students import SequentialModel
    from recdistill.teachers._llm import LLM
    from recdistill.teachers._settings import TeacherSettings


def build_teacher(
    recommender: SequentialModel,
    llm: LLM | None,
    catalog: Catalog,
    settings: TeacherSettings,
    *,
    seed: int,
) -> TeacherNetwork:
    """Put the network together; equal seeds give equal weights."""
    torch.manual_seed(seed)
    return TeacherNetwork(recommender, llm, catalog, settings)
