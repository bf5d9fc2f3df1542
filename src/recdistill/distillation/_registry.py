"""The terms by name. A new one is a file of its own and one line here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from recdistill.distillation._dros import DROS, DROSConfig
from recdistill.distillation._listwise import Listwise, ListwiseConfig
from recdistill.distillation._ranking import Ranking, RankingConfig, ReferenceRanking
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from recdistill.distillation._lessons import Lessons
    from recdistill.distillation._terms import Term


@dataclass(frozen=True)
class TermConfigs:
    """Settings of every term, whether used or not."""

    ranking: RankingConfig = field(default_factory=RankingConfig)
    listwise: ListwiseConfig = field(default_factory=ListwiseConfig)
    dros: DROSConfig = field(default_factory=DROSConfig)


@dataclass(frozen=True)
class Ground:
    """What a term may be built from beside its settings.

    Attributes
    ----------
    lessons : Lessons
    item_counts : int tensor, shape [n_items + 1]
        Training interactions per item id.
    """

    lessons: Lessons
    item_counts: Tensor


def _ranking(configs: TermConfigs, ground: Ground) -> Term:
    config = configs.ranking
    if config.variant == "reference_code":
        return ReferenceRanking(config)
    doubt = ground.lessons.doubt[ground.lessons.taught]
    confidence = torch.exp(-doubt / config.beta)
    return Ranking(config, float(confidence.mean()) if len(doubt) else 1.0)


TERMS: dict[str, Callable[[TermConfigs, Ground], Term]] = {
    "ranking": _ranking,
    "listwise": lambda configs, _: Listwise(configs.listwise),
    "dros": lambda configs, ground: DROS(configs.dros, ground.item_counts),
}


def build_term(name: str, configs: TermConfigs, ground: Ground) -> Term:
    """Return the term called ``name``.

    Raises
    ------
    UserError
        For a name that nobody registered.
    """
    if name not in TERMS:
        raise UserError(f"There is no term {name!r}: take one of {', '.join(TERMS)}.")
    return TERMS[name](configs, ground)
