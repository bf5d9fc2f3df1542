"""The pages say what the committed result files say."""

import pytest

from benchmarks import tables
from benchmarks.distillation.models import member_seed
from benchmarks.distillation.settings import SETTINGS
from benchmarks.pages import Block


def test_the_pages_say_what_their_files_say():
    differing = [f"{b.page}: {b.mark}" for b in tables.blocks() if b.shown() != b.text]
    assert not differing, "make tables"


def test_a_block_is_written_between_its_marks_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.pages.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a b -->\nold\n<!-- /a b -->\nafter\n")
    block = Block("page.md", "a b", "new")
    assert block.write()
    assert page.read_text() == "before\n<!-- a b -->\nnew\n<!-- /a b -->\nafter\n"
    assert not block.write()
    with pytest.raises(ValueError, match="lacks <!-- c -->"):
        Block("page.md", "c", "new").write()


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_every_recipe_is_tried_in_as_many_settings(setting):
    assert len({len(set(recipe.tried)) for recipe in setting.recipes.values()}) == 1
    assert set(setting.contrast.others) | {setting.contrast.student} <= set(setting.recipes)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_no_network_of_a_pool_has_the_seed_of_another_model(setting):
    pools = [
        member_seed(seed, place)
        for seed in range(setting.n_seeds)
        for place in range(len(setting.members))
    ]
    assert len(set(pools)) == len(pools)
    assert not set(pools) & set(range(setting.n_seeds))
