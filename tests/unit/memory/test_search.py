import pytest
from hypothesis import given
from hypothesis import strategies as st

from recdistill.errors import UserError
from recdistill.memory import (
    MemoryPlan,
    MemorySettings,
    choose_micro_batch,
    largest,
    plan,
    refusal,
    savings,
    savings_table,
)

TINY = MemorySettings(llm="gpt2", llm_layers=2, batch=4, length=32)


def _linear(settings: MemorySettings) -> MemoryPlan:
    kept = 1 if settings.checkpointing else 10
    return MemoryPlan(settings, 100 + kept * settings.batch, "forward", {}, {}, {}, 0, 0)


@given(effective=st.integers(1, 256), budget=st.integers(111, 3000))
def test_micro_batch_is_the_largest_divisor_that_fits(effective, budget):
    micro, accumulation = choose_micro_batch(_linear, TINY, effective, budget)
    assert micro * accumulation == effective
    assert 100 + 10 * micro <= budget
    larger = [n for n in range(micro + 1, effective + 1) if effective % n == 0]
    assert all(100 + 10 * n > budget for n in larger)


def test_a_single_row_that_does_not_fit_is_refused_with_what_does():
    with pytest.raises(UserError, match="checkpointing=true"):
        choose_micro_batch(_linear, TINY, 8, 105)
    assert "use a smaller llm" in refusal(_linear(TINY), 50, _linear)


def test_refusal_names_the_mildest_change():
    assert refusal(_linear(TINY), 125, _linear).endswith("that fits is batch=2.")


@pytest.mark.parametrize("name", ["batch", "length"])
def test_largest_fits_and_the_next_does_not(name):
    budget = plan(TINY.but(**{name: 37})).total_bytes + 1000
    found = largest(TINY, name, budget)
    assert plan(TINY.but(**{name: found})).total_bytes <= budget
    assert plan(TINY.but(**{name: found + 1})).total_bytes > budget
    assert found >= 37


def test_largest_is_zero_when_nothing_fits():
    assert largest(TINY, "batch", 1000) == 0


def test_savings_are_real_differences():
    before = plan(TINY.but(gating="outputs"))
    found = savings(before.settings, before=before)
    by_change = {saving.change: saving for saving in found}
    assert by_change["gating=rank"].saved_bytes == before.total_bytes - plan(TINY).total_bytes > 0
    assert "target_modules=q_proj,v_proj" not in by_change  # GPT-2 has no layers of these names
    assert "`gating=rank`" in savings_table(found)
