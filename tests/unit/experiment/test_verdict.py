"""What the experiment says at its end counts how many tests it made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from recdistill import experiment, reporting
from recdistill.experiment import Trained
from recdistill.reporting import Contrast

if TYPE_CHECKING:
    from collections.abc import Sequence

P = {"b": 0.02, "c": 0.03}


def contrasts(run: Any, of: Sequence[str], against: Sequence[str]) -> dict[str, Contrast]:
    values: dict[str, Any] = dict.fromkeys(Contrast.__dataclass_fields__, 0.0)
    values |= {"about": "methods", "delta": 0.01, "p": P[against[0]], "p_adjusted": P[against[0]]}
    return {"ndcg": Contrast(**values)}


def test_the_end_of_an_experiment_counts_its_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "contrast_trainings", contrasts)
    one: Any = SimpleNamespace
    trained = Trained(
        baselines=[one(id="b")],
        students=[one(id="s0"), one(id="s1")],
        controls={"no_lists": [one(id="c")]},
    )
    found = experiment.differences(one(), trained)
    assert [f.p_adjusted for f in found.values()] == pytest.approx([0.04, 0.04])
    said = experiment.words("its baseline", found["its baseline"])
    assert "beats its baseline" in said
    assert said.endswith("p=0.040")
