"""Decoders of different families from end to end: adapted everywhere, trained, saved, read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from recdistill.data import Sequences
from recdistill.students import StudentConfig, StudentRecommender, build_student
from recdistill.teachers import (
    HeadSettings,
    OptimizerSettings,
    Origin,
    TeacherNetwork,
    TeacherRecommender,
    TeacherSettings,
    TextSettings,
    TrainingSettings,
    fit_teacher,
    load_llm,
    load_model,
    save_model,
)
from recdistill.teachers._gate import GatedLinear

from .conftest import tiny_llm

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import PreparedData

# Layers of two blocks: q, k, v, o, gate, up, down; Conv1D c_attn, c_proj, c_fc, c_proj; q, k, v,
# out, fc1, fc2.
N_GATED = {"llama": 14, "gpt2": 8, "opt": 12}
HISTORIES = Sequences.from_lists([[3, 7, 1], [], [9, 4, 2, 2, 5, 6, 7, 8, 1, 3]])


@pytest.mark.parametrize("family", N_GATED)
def test_a_family_is_trained_on_all_linear_layers_and_comes_back(
    family: str, prepared: PreparedData, tmp_path: Path
) -> None:
    tiny = tiny_llm(family)
    tiny.model.save_pretrained(tmp_path / "llm")
    tiny.tokenizer.save_pretrained(tmp_path / "llm")
    catalog = prepared.catalog
    student = StudentConfig(dim=8, n_blocks=1, max_length=8)
    baseline = build_student(student, catalog.n_items, seed=0).eval()
    llm = load_llm(str(tmp_path / "llm"))
    settings = TeacherSettings(
        prompt="hybrid",
        lora_r=4,
        n_experts=2,
        max_length=8,
        text=TextSettings("items chosen"),
        head=HeadSettings(dim=8),
    )
    torch.manual_seed(1)
    network = TeacherNetwork(baseline, llm, catalog, settings)
    gated = {name: m for name, m in network.named_modules() if isinstance(m, GatedLinear)}
    assert len(gated) == N_GATED[family]

    before = {name: p.detach().clone() for name, p in network.trainable().items()}
    # The loop itself checks that every expert's A and B, the router and the projector learn.
    fit_teacher(
        network,
        prepared,
        TrainingSettings(
            max_epochs=1, batch=200, ema=0.0, optimizer=OptimizerSettings(0.05, 0.05, 0.05)
        ),
        validate=lambda _: {"ndcg_at_10": 1.0},
        log=lambda *_: None,
        checkpoints=tmp_path / "checkpoints",
    )
    for name, module in gated.items():
        a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
        assert a.shape == (4, module.in_features), name
        assert b.shape == (module.out_features, 4), name
    still = [n for n, p in network.trainable().items() if torch.equal(p, before[n])]
    assert [n for n in still if ".lora_" in n] == []

    origin = Origin(StudentRecommender(baseline, student, catalog.digest, "split"), llm, "split")
    teacher = TeacherRecommender(network, catalog.digest, origin)
    save_model(teacher, tmp_path / "model")
    again = load_model(tmp_path / "model", catalog)
    assert torch.equal(again.score(HISTORIES), teacher.score(HISTORIES))
