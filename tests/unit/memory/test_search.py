import pytest

from recdistill.memory import (
    MemoryPlan,
    MemorySettings,
    in_flags,
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


def test_a_step_beyond_all_help_is_refused_in_one_sentence():
    assert "nothing short of a smaller llm" in refusal(_linear(TINY), 50, _linear)


def test_refusal_names_the_mildest_change():
    assert refusal(_linear(TINY), 125, _linear).endswith("that fits is batch=2.")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["batch", "length"])
def test_largest_fits_and_the_next_does_not(name):
    budget = plan(TINY.but(**{name: 37})).total_bytes + 1000
    found = largest(TINY, name, budget)
    assert plan(TINY.but(**{name: found})).total_bytes <= budget
    assert plan(TINY.but(**{name: found + 1})).total_bytes > budget
    assert found >= 37


def test_largest_is_zero_when_nothing_fits():
    assert largest(TINY, "batch", 1000) == 0


@pytest.mark.slow
def test_savings_are_real_differences():
    before = plan(TINY.but(gating="outputs"))
    found = savings(before.settings, before=before)
    by_change = {saving.change: saving for saving in found}
    assert by_change["gating=rank"].saved_bytes == before.total_bytes - plan(TINY).total_bytes > 0
    assert "target_modules=q_proj,v_proj" not in by_change  # GPT-2 has no layers of these names
    assert "`gating=rank`" in savings_table(found)


def test_a_change_is_spelt_as_the_flags_of_the_stages():
    change = {"checkpointing": True, "batch": 1, "lora_dropout": 0.0, "precision": "bf16"}
    assert in_flags(change) == "checkpointing=true, batch=1, lora.dropout=0.0, precision=bf16-mixed"
