from dataclasses import dataclass

from recdistill.runs import RECIPE, open_run
from recdistill.runs._recipe_key import input_recipes, recipe_key


@dataclass
class Settings:
    seed: int = 0
    lr: float = 0.1


def test_the_seed_is_not_part_of_a_recipe():
    one = recipe_key("distill", {"seed": 0, "lr": 0.1}, {"split": "d" * 32})
    assert one == recipe_key("distill", {"seed": 7, "lr": 0.1}, {"split": "e" * 32})
    assert one != recipe_key("distill", {"seed": 0, "lr": 0.2}, {})
    assert one != recipe_key("train_baseline", {"seed": 0, "lr": 0.1}, {})


def test_names_of_runs_say_nothing_that_their_recipes_do_not():
    one = recipe_key("distill", {}, {"teacher": "ease-s0-baseline", "tables": "a" * 16})
    assert one == recipe_key("distill", {}, {"teacher": "ease-s1-baseline", "tables": "a" * 16})
    assert one != recipe_key("distill", {}, {"tables": "b" * 16})


def test_weights_that_were_given_are_part_of_a_recipe():
    tables = {"tables": "a" * 16 + "," + "b" * 16}
    one = recipe_key("distill", {}, tables | {"weights": "0.9,0.1"})
    assert one != recipe_key("distill", {}, tables | {"weights": "0.1,0.9"})
    # Stores know the noise of recipes by their keys: without weights they are what they were.
    assert recipe_key("distill", {"seed": 1, "lr": 0.1}, tables) == "c5eec264b1f31809"


def test_an_encoder_is_known_by_its_name():
    one = recipe_key("embed_items", {"encoder": "minilm"}, {})
    assert one == recipe_key("embed_items", {"encoder": "minilm"}, {"encoder": "a" * 32})
    assert one != recipe_key("embed_items", {"encoder": "smollm"}, {})


def test_a_run_is_tagged_and_stands_for_its_recipe_in_the_next(store):
    ids = []
    for seed in (0, 1):
        with open_run("train_baseline", Settings(seed)) as run:
            run.already_done({"split": "d1"})
            ids.append(run.id)
    tags = [store.get_run(one).data.tags for one in ids]
    assert tags[0][RECIPE] == tags[1][RECIPE]
    assert tags[0]["cache.key"] != tags[1]["cache.key"]
    read = [input_recipes(store, {"baseline": one, "split": "d" * 32}) for one in ids]
    assert read[0] == read[1] == {"baseline": tags[0][RECIPE], "split": "d" * 32}
