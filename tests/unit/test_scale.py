"""The cost model: it passes through what was measured, and its arithmetic is the models'."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import scale
from benchmarks.large_catalogs import RESULT as LARGE
from benchmarks.scaling import exponent
from recdistill.memory import decoder_config


@given(st.floats(0.1, 100), st.floats(-1, 3), st.integers(2, 6))
def test_the_exponent_of_a_power_law_is_its_power(start: float, power: float, n_points: int):
    points = {str(10**i): start * (10**i) ** power for i in range(1, n_points + 1)}
    assert exponent(points) == pytest.approx(power, abs=1e-6)


def test_at_the_sizes_that_were_measured_the_model_says_what_was_measured():
    of = json.loads(LARGE.read_text())
    counter, trained = of["counter 200000"], of["training 1000000"]["touched-rows"]
    log = scale.Log("measured", counter["n_interactions"], 100_000, 200_000)
    cost = scale.STAGES["a counting floor"](log)
    assert cost.hours * 3600 == pytest.approx(counter["fit_cpu_seconds"])
    assert cost.memory == pytest.approx(counter["peak_gb"] * 1e9)
    million = scale.Log("measured", 10**6, 1, 10**6)
    seconds = scale.baseline_epoch(million).hours * 3600
    assert seconds == pytest.approx(10**6 / trained["targets_per_cpu_second"])


@pytest.mark.parametrize("name", scale.STAGES)
def test_a_larger_log_costs_more_in_one_thing_at_least(name: str):
    small, middle, large = (scale.STAGES[name](log) for log in scale.LOGS)
    assert small.hours + small.memory < middle.hours + middle.memory < large.hours + large.memory


@pytest.mark.parametrize("llm", ["llama-2-7b", "smollm2-135m"])
def test_layers_and_embeddings_are_all_the_weights_of_a_decoder(llm: str):
    config = decoder_config(llm)
    embeddings = config.vocab_size * config.hidden_size * (1 if config.tie_word_embeddings else 2)
    norms = (2 * config.num_hidden_layers + 1) * config.hidden_size
    assert scale.layer_parameters(llm) + embeddings + norms == scale._shape(llm)["parameters"]
