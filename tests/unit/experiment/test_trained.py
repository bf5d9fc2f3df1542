"""Who taught the students is not counted among those that they are compared with."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from recdistill.experiment import Trained


def runs(*ids: str) -> list[Any]:
    return [SimpleNamespace(id=one) for one in ids]


def test_a_pools_network_is_compared_only_where_no_other_of_its_kind_is() -> None:
    trained = Trained(
        baselines=runs("b0", "b1"),
        beside={"gru4rec": runs("g0")},
        floors={"ease": runs("e")[0]},
        networks={"sasrec": runs("m0"), "gru4rec": runs("m1"), "ligr": runs("m2")},
        teachers=runs("t"),
        students=runs("s0"),
        controls={"no_lists": runs("c0")},
    )
    assert trained.ids("sasrec") == "e,m2,g0,b0,b1,t,s0,c0"
    assert trained.ids("ligr") == "e,m0,g0,b0,b1,t,s0,c0"
