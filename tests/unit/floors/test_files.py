import json

import pytest
import torch

from recdistill.errors import UserError
from recdistill.floors import FLOOR_KINDS, fit_floor, load_model, save_model


@pytest.mark.parametrize("kind", FLOOR_KINDS)
def test_a_floor_read_back_scores_the_same(kind, train, catalog, tmp_path):
    floor = fit_floor(kind, train, catalog)
    save_model(floor, tmp_path / "model", split_digest="5" * 32)
    again = load_model(tmp_path / "model", catalog)
    assert torch.equal(again.score(train), floor.score(train))
    assert (again.kind, again.config) == (kind, floor.config)
    assert (again.inverse_diagonal is None) == (kind != "ease")
    if kind == "ease":
        assert torch.equal(again.inverse_diagonal, floor.inverse_diagonal)
    description = json.loads((tmp_path / "model" / "config.json").read_text())
    assert description["family"] == "floor"
    assert description["split_digest"] == "5" * 32


def test_a_floor_of_another_catalog_is_refused(train, catalog, foreign_catalog, tmp_path):
    save_model(fit_floor("counter", train, catalog), tmp_path)
    with pytest.raises(UserError, match=f"made for catalog {catalog.digest[:12]}"):
        load_model(tmp_path, foreign_catalog)


def test_a_folder_without_a_floor_is_refused(train, catalog, tmp_path):
    with pytest.raises(UserError, match=r"no config\.json"):
        load_model(tmp_path, catalog)
    (tmp_path / "config.json").write_text('{"family": "student", "format": 1}')
    with pytest.raises(UserError, match="holds a student"):
        load_model(tmp_path, catalog)
