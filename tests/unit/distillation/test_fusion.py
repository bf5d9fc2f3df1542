"""Fused items serve as they trained, fold into a plain table, and learn."""

import pytest
import torch

from recdistill.distillation import FusionConfig
from recdistill.distillation._fusion import fold_items, fuse_items
from recdistill.errors import UserError
from recdistill.students import GRU4Rec, SASRec
from recdistill.training import FitConfig, Softmax, fit


def build(kind):
    torch.manual_seed(0)
    return kind(30, dim=8, n_blocks=1, max_length=20, dropout=0.0)


VECTORS = torch.randn(31, 12, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("kind", [SASRec, GRU4Rec])
@pytest.mark.parametrize("components", [0, 4])
def test_folding_keeps_every_score_and_every_shape(kind, components):
    model = build(kind).eval()
    before = {name: p.shape for name, p in model.named_parameters()}
    plain = model.item_table().detach().clone()
    fuse_items(model, VECTORS, 0.5, FusionConfig(components=components), seed=1)
    items = torch.tensor([[3, 9, 4, 0], [1, 2, 0, 0]])
    states, table = model.encode(items), model.item_table()
    assert not torch.allclose(table, plain)
    assert torch.equal(table[0], plain[0])  # padding
    fold_items(model)
    assert torch.allclose(model.encode(items), states)
    assert torch.allclose(model.item_table(), table)
    assert {name: p.shape for name, p in model.named_parameters()} == before
    fold_items(model)  # a second time does nothing


def test_weight_and_projection_learn_unless_fixed(walks, tmp_path):
    for learnable in (True, False):
        model = build(SASRec)
        fuse_items(model, VECTORS, 0.5, FusionConfig(learnable), seed=1)
        before = {n: p.detach().clone() for n, p in model.named_parameters()}
        config = FitConfig(max_epochs=2, tokens_per_batch=200, patience=0)
        fit(
            model,
            Softmax(),
            walks,
            config,
            log=lambda m, e: None,
            checkpoint_folder=tmp_path / str(learnable),
            seed=0,
        )
        changed = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
        assert any(n.endswith("projection.weight") for n in changed)
        assert any(n.endswith("0.weight") for n in changed) == learnable


def test_fusing_draws_nothing_from_the_global_generator():
    model = build(SASRec)
    state = torch.random.get_rng_state()
    fuse_items(model, VECTORS, 0.5, FusionConfig(), seed=1)
    assert torch.equal(state, torch.random.get_rng_state())


def test_vectors_of_another_catalog_are_refused():
    with pytest.raises(UserError, match="of different catalogs"):
        fuse_items(build(SASRec), VECTORS[:-1], 0.5, FusionConfig(), seed=0)
