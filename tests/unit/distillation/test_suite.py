"""Every term keeps the laws of the suite, the one that the guide writes included."""

import re
import sys
from pathlib import Path
from types import ModuleType

import torch

from recdistill.data import Sequences
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

_GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "a_new_loss_term.md"

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
        config = RankingConfig(variant="reference_code", consistency=0)
        histories = Sequences.from_lists([[1, 2]] * 13)
        return ReferenceRanking(config, DROSConfig(), torch.arange(N_ITEMS + 1), histories)


class TestDROS(TermSuite):
    from_teacher = False  # it knows how often items were taken, and asks no teacher

    def term(self):
        return DROS(DROSConfig(beta=3.0), torch.arange(N_ITEMS + 1))


def _suite_of_the_guide():
    """Run the guide's two files as the modules that it names them."""
    text = _GUIDE.read_text(encoding="utf-8")
    files = dict(re.findall(r"```python\n# (\w+)\.py\n(.*?)```", text, re.DOTALL))
    made = {}
    for name in ("order", "test_order"):
        made[name] = sys.modules[name] = ModuleType(name)
        exec(compile(files[name], f"{_GUIDE}:{name}", "exec"), made[name].__dict__)
    for name in made:
        del sys.modules[name]
    return made["test_order"].TestOrder


TestOrderOfTheGuide = _suite_of_the_guide()
