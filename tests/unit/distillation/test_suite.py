"""Every term keeps the laws of the suite."""

import torch

from recdistill.distillation import (
    DROS,
    DROSConfig,
    Listwise,
    ListwiseConfig,
    Ranking,
    RankingConfig,
    ReferenceRanking,
)
from recdistill.testing import TermStep, TermSuite

N_ITEMS = len(TermStep.drawn().table) - 1


class TestListwise(TermSuite):
    def term(self):
        return Listwise(ListwiseConfig())


class TestListwiseWithTailAtATemperature(TermSuite):
    def term(self):
        return Listwise(ListwiseConfig(temperature=0.5, tail="bucket"))


class TestRanking(TermSuite):
    def term(self):
        return Ranking(RankingConfig(n_negatives=3, consistency=0))


class TestReferenceRanking(TermSuite):
    def term(self):
        return ReferenceRanking(RankingConfig(variant="reference_code"))


class TestDROS(TermSuite):
    from_teacher = False  # it knows how often items were taken, and asks no teacher

    def term(self):
        return DROS(DROSConfig(beta=3.0), torch.arange(N_ITEMS + 1))
