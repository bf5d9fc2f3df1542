import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.memory import MemoryPlan, MemorySettings, cut_to_fit

TINY = MemorySettings(llm="gpt2", llm_layers=2, device="cpu")
SHAPES = st.lists(st.tuples(st.integers(1, 64), st.integers(8, 200)), min_size=1, max_size=5)


def _linear(settings: MemorySettings) -> MemoryPlan:
    kept = 1 if settings.checkpointing else 10
    peak = 10_000 + kept * settings.batch * settings.length
    return MemoryPlan(settings, peak, "forward", {}, {}, {}, 0, 0)


@given(shapes=SHAPES, budget=st.integers(12_500, 200_000))
def test_the_fewest_pieces_are_taken_of_which_the_largest_fits(shapes, budget):
    try:
        cut = cut_to_fit(TINY, shapes, budget, plan_function=_linear)
    except UserError:
        assert max(10_000 + 10 * length for _, length in shapes) * 1.06 > budget
        return
    for rows, length in shapes:
        piece = -(-rows // cut.n_pieces)
        if cut.plan.settings.batch > 1:
            assert 10_000 + 10 * piece * length <= budget
    if cut.n_pieces > 1:
        larger = max(-(-rows // (cut.n_pieces // 2)) * length for rows, length in shapes)
        assert (10_000 + 10 * larger) * 1.051 > budget


def test_one_row_that_cannot_fit_is_refused_with_the_nearest_setting_that_does():
    nearest = [("max_length=90", TINY.but(length=95)), ("checkpointing=true",
                TINY.but(length=100, checkpointing=True))]  # fmt: skip
    with pytest.raises(UserError, match="nearest setting that fits is checkpointing=true"):
        cut_to_fit(TINY, [(4, 100)], 10_300, nearest=nearest, plan_function=_linear)


def test_where_the_plan_cannot_tell_the_measurement_does():
    asked = []

    def measured(n_bytes):
        def measure(settings):
            asked.append(settings.batch)
            return n_bytes

        return measure

    edge = 10_000 + 10 * 4 * 100
    assert _linear(TINY.but(batch=4, length=100)).verdict(edge) == "unsure"
    fits = cut_to_fit(TINY, [(4, 100)], edge, measure=measured(edge), plan_function=_linear)
    assert (fits.n_pieces, fits.measured_bytes) == (1, edge)
    cut = cut_to_fit(TINY, [(4, 100)], edge, measure=measured(edge + 1), plan_function=_linear)
    assert (cut.n_pieces, asked) == (2, [4, 4])  # half of it fits for certain: not measured
    careful = cut_to_fit(TINY, [(4, 100)], edge, plan_function=_linear)
    assert careful.n_pieces == 2
