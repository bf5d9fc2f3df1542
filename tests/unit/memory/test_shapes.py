import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from recdistill.errors import UserError
from recdistill.memory import decoder_config, decoder_depth, known_shapes
from recdistill.memory._shapes import shipped_parameters


@pytest.mark.parametrize("name", known_shapes())
def test_shape_has_the_published_number_of_parameters(name):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(decoder_config(name))
    assert sum(p.numel() for p in model.parameters()) == shipped_parameters(name)


def test_owner_and_case_are_ignored():
    assert decoder_config("meta-llama/Llama-2-7b").hidden_size == 4096


def test_a_local_folder_is_read(tmp_path):
    entries = {"model_type": "gpt2", "n_layer": 3, "n_embd": 48, "n_head": 4}
    (tmp_path / "config.json").write_text(json.dumps(entries))
    assert decoder_depth(decoder_config(str(tmp_path))) == 3
    assert decoder_depth(decoder_config(str(tmp_path), 2)) == 2


def test_a_folder_without_configuration_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"config\.json"):
        decoder_config(str(tmp_path))
