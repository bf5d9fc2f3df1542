"""``generate`` mode: the papers' protocol, one prompt per target, the title is written out.

The prompt is iLoRA's: the titles of the last ten items, each with its slot, twenty candidate
titles with theirs, and a request for the next. The gate is one per prompt, from the frozen
recommender's state after the whole history, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from recdistill.errors import UserError
from recdistill.teachers._candidates import Choices, read_answer
from recdistill.teachers._prompt import text_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from recdistill.data import Catalog, Sequences
    from recdistill.teachers._network import TeacherNetwork

_MAX_ANSWER = 24


@dataclass
class Prompts:
    """Token ids of prompts, a slot of item ``i`` written as ``-i``.

    Attributes
    ----------
    ids : int64, shape [batch, width]
    real : bool, shape [batch, width]
    answers : bool, shape [batch, width]
        Tokens of the answer, where the prompt holds one.
    items : int64, shape [batch, length]
        The histories, for the router.
    """

    ids: torch.Tensor
    real: torch.Tensor
    answers: torch.Tensor
    items: torch.Tensor


class GenerativeTeacher:
    """Writes prompts, trains on the target's title, and answers by writing or by choosing.

    Parameters
    ----------
    network : TeacherNetwork
        Projector, router, gate and adapted language model are used; its scoring head is not.
    tokenizer : PreTrainedTokenizerBase
    catalog : Catalog
    n_history : int
    """

    def __init__(
        self, network: TeacherNetwork, tokenizer: Any, catalog: Catalog, n_history: int = 10
    ) -> None:
        if network.peft is None:
            raise UserError("mode=generate needs a language model: adapter=head has none.")
        self.network, self.tokenizer, self.n_history = network, tokenizer, n_history
        self.titles = ["", *catalog.items["title"]]
        cut = network.settings.text.max_title_tokens
        encoded = text_tokens(tokenizer, [f" {title}" for title in self.titles])
        self._titles = [row[:cut] for row in encoded]
        # Of a long title the model reads, and has to answer, as much as the prompt spells.
        self.names = [
            tokenizer.decode(row[:cut]).strip() if len(row) > cut else title
            for title, row in zip(self.titles, encoded, strict=True)
        ]
        self._before = tokenizer("This user has chosen, oldest first:").input_ids
        self._between, self._after, self._comma, self._end = (
            tokenizer(text, add_special_tokens=False).input_ids
            for text in (
                "\nThe next one is among these candidates:",
                "\nThe next one is:",
                ",",
                "\n",
            )
        )

    def write(
        self,
        histories: Sequences,
        candidates: NDArray[np.int32],
        answers: NDArray[np.int32] | None = None,
    ) -> Prompts:
        """Write one prompt per case; with ``answers`` their titles follow."""
        recent = histories.tail(self.n_history)
        rows, n_answer = [], []
        for case in range(len(recent)):
            row = [
                *self._before,
                *self._listed(recent.row(case)),
                *self._between,
                *self._listed(candidates[case]),
                *self._after,
            ]
            answer = [] if answers is None else [*self._titles[answers[case]], *self._end]
            rows.append(torch.tensor([*row, *answer]))
            n_answer.append(len(answer))
        # On the left, where generation wants its padding: every prompt ends in the last column.
        width = max(len(row) for row in rows)
        ids = torch.stack([F.pad(row, (width - len(row), 0)) for row in rows])
        column = torch.arange(width)
        real = column >= width - torch.tensor([len(row) for row in rows])[:, None]
        said = column >= width - torch.tensor(n_answer)[:, None]
        items = torch.from_numpy(recent.padded()).long()
        device = self.network.device
        return Prompts(*(t.to(device) for t in (ids, real, said, items)))

    def loss(self, prompts: Prompts) -> torch.Tensor:
        """Mean cross-entropy of the answers' tokens; call it inside ``network.held_gate()``."""
        hidden = self._read(prompts)
        # The state before a token predicts it; vocabulary logits exist at answers only.
        target = prompts.answers[:, 1:].nonzero(as_tuple=True)
        states = hidden[:, :-1][target]
        logits = self.network.causal_lm.get_output_embeddings()(states)
        return F.cross_entropy(logits.float(), prompts.ids[:, 1:][target])

    @torch.no_grad()
    def generate(
        self, histories: Sequences, candidates: NDArray[np.int32], targets: NDArray[np.int32]
    ) -> Choices:
        """Let the model write an answer, greedily, and read which candidate it names."""
        network = self.network.eval()
        prompts = self.write(histories, candidates)
        with network.held_gate():
            embedded = self._embed(prompts)
            written = network.causal_lm.generate(
                inputs_embeds=embedded,
                attention_mask=prompts.real.long(),
                max_new_tokens=max(_MAX_ANSWER, *map(len, self._titles)),
                do_sample=False,
                use_cache=True,
                pad_token_id=0,
            )
        picked = []
        for case, tokens in enumerate(written):
            lines = self.tokenizer.decode(tokens, skip_special_tokens=True).strip().splitlines()
            named = [self.names[item] for item in candidates[case]]
            picked.append(read_answer(lines[0] if lines else "", candidates[case].tolist(), named))
        return Choices(np.array(picked, np.int32), targets)

    @torch.no_grad()
    def choose(
        self, histories: Sequences, candidates: NDArray[np.int32], targets: NDArray[np.int32]
    ) -> Choices:
        """Pick the candidate whose title, to its end, the model finds most likely.

        Always valid. The prompt is read once per case; its keys and values are shared by the
        candidates' titles.
        """
        network = self.network.eval()
        picked = []
        for case in range(len(targets)):
            only = histories.take(np.array([case]))
            prompts = self.write(only, candidates[case : case + 1])
            with network.held_gate():
                likelihood = self._likelihoods(prompts, candidates[case].tolist())
            picked.append(candidates[case][int(likelihood.argmax())])
        return Choices(np.array(picked, np.int32), targets)

    def _likelihoods(self, prompts: Prompts, candidates: Sequence[int]) -> torch.Tensor:
        """Log-likelihood of each candidate's title after one prompt, shape [n_candidates]."""
        model = self.network.causal_lm
        read = model(inputs_embeds=self._embed(prompts), use_cache=True)
        cache = read.past_key_values
        cache.batch_repeat_interleave(len(candidates))
        rows = [torch.tensor([*self._titles[c], *self._end]) for c in candidates]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
        ids = ids.to(self.network.device)  # [n_candidates, longest]
        first = read.logits[:, -1:].expand(len(candidates), -1, -1)
        shape = (len(candidates), prompts.ids.shape[1] + ids.shape[1])
        rest = model(
            input_ids=ids.clamp(min=0),
            attention_mask=torch.ones(shape, dtype=torch.long, device=ids.device),
            past_key_values=cache,
            use_cache=True,
        ).logits[:, :-1]
        logits = torch.cat([first, rest], dim=1).float().log_softmax(-1)
        tokens = logits.gather(-1, ids.clamp(min=0)[..., None]).squeeze(-1)
        return (tokens * (ids >= 0)).sum(1)

    def _listed(self, items: NDArray[np.int32]) -> list[int]:
        """Title and slot of each item, separated by commas."""
        out: list[int] = []
        for item in items.tolist():
            out += [*self._titles[item], -item, *self._comma]
        return out[: -len(self._comma)] if out else out

    def _embed(self, prompts: Prompts) -> torch.Tensor:
        """Token embeddings with slots filled, and the gate of every prompt set."""
        network = self.network
        if network.gate is not None and network.router is not None:
            with torch.no_grad():
                states = network.recommender.encode(prompts.items)
            newest = (prompts.items > 0).sum(1) - 1
            state = states[torch.arange(len(states), device=states.device), newest.clamp(min=0)]
            network.gate.set(network.router(state)[:, None])  # [batch, 1, n_experts]
        embedded = network.embeddings(prompts.ids.clamp(min=0))
        place = (prompts.ids < 0).nonzero(as_tuple=True)
        slots = network.projector(network.vectors[-prompts.ids[place]])
        filled: torch.Tensor = embedded.index_put(place, slots.to(embedded.dtype))
        return filled

    def _read(self, prompts: Prompts) -> torch.Tensor:
        """Hidden states [batch, width, hidden]."""
        position = (prompts.real.cumsum(1) - 1).clamp(min=0)
        hidden: torch.Tensor = self.network.causal_lm.base_model(
            inputs_embeds=self._embed(prompts),
            attention_mask=prompts.real.long(),
            position_ids=position,
            use_cache=False,
        ).last_hidden_state
        return hidden
