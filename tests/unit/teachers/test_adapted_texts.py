from __future__ import annotations

import numpy as np
import pytest
import torch

from recdistill.errors import UserError
from recdistill.teachers import Origin, TeacherRecommender, adapted_encoder
from recdistill.texts import EmbeddingConfig, TransformerEncoder
from tests.unit.teachers.conftest import make_network, tiny_llm

TEXTS = ["red fox", "green hen owl", "blue"]
CONFIG = EmbeddingConfig(dim=4)


def teacher(*, move: bool, **settings: object) -> TeacherRecommender:
    network = make_network(move=move, **settings)
    llm = None if settings.get("adapter") == "head" else tiny_llm()
    return TeacherRecommender(network, "catalog", Origin(network.recommender, llm, "split"))


@pytest.mark.parametrize("adapter", ["ilora", "lora", "none"])
def test_an_adapter_that_has_not_moved_changes_nothing(adapter: str) -> None:
    llm = tiny_llm()
    plain = TransformerEncoder(llm.model.base_model, llm.tokenizer, CONFIG, "plain")
    adapted = adapted_encoder(teacher(move=False, adapter=adapter), CONFIG)
    np.testing.assert_allclose(adapted.encode(TEXTS), plain.encode(TEXTS), atol=1e-5)


def test_one_that_has_moved_speaks_otherwise_and_has_another_digest() -> None:
    before = adapted_encoder(teacher(move=False), CONFIG)
    after = adapted_encoder(teacher(move=True), CONFIG)
    assert np.abs(after.encode(TEXTS) - before.encode(TEXTS)).max() > 1e-3
    assert after.digest != before.digest


def test_experts_count_alike() -> None:
    """A uniform gate is plain LoRA of the same matrices."""
    gated, plain = teacher(move=True, adapter="ilora"), teacher(move=True, adapter="lora")
    lora = {n: p for n, p in gated.network.named_parameters() if ".lora_" in n}
    with torch.no_grad():
        for name, parameter in plain.network.named_parameters():
            if ".lora_" in name:
                parameter.copy_(lora[name])
    np.testing.assert_allclose(
        adapted_encoder(gated, CONFIG).encode(TEXTS),
        adapted_encoder(plain, CONFIG).encode(TEXTS),
        atol=1e-5,
    )


def test_a_teacher_without_a_language_model_is_refused() -> None:
    with pytest.raises(UserError, match="no language model"):
        adapted_encoder(teacher(move=False, adapter="head"), CONFIG)
