"""What a finished teacher's language model, adapted to the data, makes of a text."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from torch import nn

from recdistill.errors import UserError
from recdistill.texts import TransformerEncoder

if TYPE_CHECKING:
    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._recommender import TeacherRecommender
    from recdistill.texts import EmbeddingConfig


class AdaptedBody(nn.Module):
    """The teacher's transformer with its adapter, every expert alike: a text has no history.

    Parameters
    ----------
    network : TeacherNetwork with a language model
    """

    def __init__(self, network: TeacherNetwork) -> None:
        super().__init__()
        self.network = network
        self.config = network.causal_lm.config

    def forward(self, **tokens: Any) -> Any:
        """Run the transformer; see transformers' own models for the arguments."""
        gate = self.network.gate
        body = self.network.causal_lm.base_model
        with self.network.held_gate():
            if gate is not None:
                mask = tokens["attention_mask"]
                gate.set(mask.new_ones(len(mask), 1, gate.n_experts).float() / gate.n_experts)
            return body(use_cache=False, **tokens)


def adapted_encoder(teacher: TeacherRecommender, config: EmbeddingConfig) -> TransformerEncoder:
    """Return an encoder of texts that knows what the teacher learned on this data.

    Parameters
    ----------
    teacher : TeacherRecommender
        Trained on a catalog; the router is left out, as a text alone has no history to route by.
    config : EmbeddingConfig

    Raises
    ------
    UserError
        For a teacher without a language model.
    """
    origin = teacher.origin
    if origin is None or origin.llm is None:
        raise UserError(
            "This teacher has no language model (adapter=head), so it can read no texts: name a "
            "run of train_teacher with adapter=ilora or lora."
        )
    sha = hashlib.sha256(origin.llm.digest.encode())
    for name, parameter in teacher.network.named_parameters():
        if ".lora_" in name or teacher.network.settings.train_backbone:
            sha.update(name.encode())
            sha.update(parameter.detach().cpu().float().contiguous().numpy().tobytes())
    body = AdaptedBody(teacher.network)
    return TransformerEncoder(body, origin.llm.tokenizer, config, f"adapted {sha.hexdigest()}")
