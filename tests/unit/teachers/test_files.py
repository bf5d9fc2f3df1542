from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
import torch
from damage import check_damages
from peft import PeftConfig, PeftModel

from recdistill.checksums import write_description
from recdistill.data import Catalog, Sequences
from recdistill.errors import UserError
from recdistill.students import StudentConfig, StudentRecommender, build_student
from recdistill.teachers import (
    LLM,
    HeadSettings,
    Origin,
    TeacherNetwork,
    TeacherRecommender,
    TeacherSettings,
    TextSettings,
    load_llm,
    load_model,
    save_model,
)
from recdistill.teachers._gate import register_gate

from .conftest import make_catalog, tiny_llm

if TYPE_CHECKING:
    from pathlib import Path

HISTORIES = Sequences.from_lists([[3, 7, 1], [], [9, 4, 2, 2, 5, 6, 7, 8, 1, 3]])


@pytest.fixture(scope="module")
def llm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("llm")
    llm = tiny_llm()
    llm.model.save_pretrained(folder)
    llm.tokenizer.save_pretrained(folder)
    return folder


def make_teacher(llm_folder: Path, kind: str = "ilora", **settings: object) -> TeacherRecommender:
    catalog = make_catalog()
    student = StudentConfig(dim=8, n_blocks=1, max_length=8)
    model = build_student(student, catalog.n_items, seed=0).eval()
    small = {"lora_r": 4, "n_experts": 2, "max_length": 8, "head": HeadSettings(dim=8)}
    text = TextSettings("items chosen")
    chosen = TeacherSettings(adapter=kind, text=text, **small | settings)
    llm: LLM | None = None if kind == "head" else load_llm(str(llm_folder))
    torch.manual_seed(1)
    network = TeacherNetwork(model, llm, catalog, chosen)
    with torch.no_grad():
        for p in network.trainable().values():
            p.add_(torch.randn_like(p) * 0.1)
    baseline = StudentRecommender(model, student, catalog.digest, "split")
    return TeacherRecommender(network.eval(), catalog.digest, Origin(baseline, llm, "split"))


@pytest.mark.parametrize("kind", ["ilora", "lora", "none", "head"])
def test_a_teacher_comes_back_with_the_same_scores(
    kind: str, llm_folder: Path, tmp_path: Path
) -> None:
    teacher = make_teacher(llm_folder, kind, head=HeadSettings(dim=8, residual=True))
    save_model(teacher, tmp_path)
    again = load_model(tmp_path, make_catalog())
    assert torch.equal(again.score(HISTORIES), teacher.score(HISTORIES))
    assert again.origin.split_digest == "split"


def test_a_trained_backbone_is_saved_too(llm_folder: Path, tmp_path: Path) -> None:
    teacher = make_teacher(llm_folder, "none", train_backbone=True)
    save_model(teacher, tmp_path)
    again = load_model(tmp_path, make_catalog())
    assert torch.equal(again.score(HISTORIES), teacher.score(HISTORIES))


def test_the_language_model_itself_is_not_saved(llm_folder: Path, tmp_path: Path) -> None:
    save_model(make_teacher(llm_folder), tmp_path)
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.safetensors")}
    assert names == {
        "weights.safetensors",
        "adapter/adapter_model.safetensors",
        "recommender/weights.safetensors",
    }


def test_peft_itself_reads_the_adapter(llm_folder: Path, tmp_path: Path) -> None:
    teacher = make_teacher(llm_folder)
    save_model(teacher, tmp_path)
    config = register_gate(PeftConfig.from_pretrained(tmp_path / "adapter"))
    model = PeftModel.from_pretrained(tiny_llm().model, tmp_path / "adapter", config=config)
    want = {n: p for n, p in teacher.network.peft.named_parameters() if "lora_" in n}
    got = {n: p for n, p in model.named_parameters() if "lora_" in n}
    assert got.keys() == want.keys()
    assert all(torch.equal(got[name], p) for name, p in want.items())


def change(path: Path, **changes: object) -> None:
    """Write a description anew over what its folder holds now."""
    facts = json.loads(path.read_text()) | changes
    names = facts.pop("files")
    del facts["sha256"]
    write_description(path, facts, names)


def test_another_catalog_language_model_or_baseline_is_refused(
    llm_folder: Path, tmp_path: Path
) -> None:
    save_model(make_teacher(llm_folder), tmp_path / "teacher")
    items = make_catalog().items.copy()
    items.loc[1, "title"] = "another"
    with pytest.raises(UserError, match="was made for catalog"):
        load_model(tmp_path / "teacher", Catalog(items))

    other = tiny_llm(seed=5)
    other.model.save_pretrained(tmp_path / "llm")
    other.tokenizer.save_pretrained(tmp_path / "llm")
    with pytest.raises(UserError, match="was trained on language model weights"):
        load_model(tmp_path / "teacher", make_catalog(), llm=str(tmp_path / "llm"))

    stranger = make_teacher(llm_folder)
    with torch.no_grad():
        stranger.origin.baseline.model.item_table()[1] += 1
    save_model(stranger, tmp_path / "stranger")
    swapped = tmp_path / "teacher" / "recommender" / "weights.safetensors"
    swapped.write_bytes((tmp_path / "stranger/recommender/weights.safetensors").read_bytes())
    with pytest.raises(UserError, match="not as it was written"):
        load_model(tmp_path / "teacher", make_catalog())
    change(tmp_path / "teacher" / "recommender" / "config.json")  # as if it were of one piece
    change(tmp_path / "teacher" / "config.json")
    with pytest.raises(UserError, match="is not the one this teacher was trained on"):
        load_model(tmp_path / "teacher", make_catalog())


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no config\.json"):
        load_model(tmp_path, make_catalog())
    (tmp_path / "config.json").write_text(json.dumps({"family": "student", "format": 1}))
    with pytest.raises(UserError, match="holds a student"):
        load_model(tmp_path, make_catalog())


def test_an_adapter_of_other_shape_is_refused(llm_folder: Path, tmp_path: Path) -> None:
    save_model(make_teacher(llm_folder), tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())["settings"]
    change(tmp_path / "config.json", settings=settings | {"target_modules": "q_proj"})
    with pytest.raises(UserError, match="does not fit its config"):
        load_model(tmp_path, make_catalog())


def test_a_teacher_saved_before_its_settings_had_groups_is_read(
    llm_folder: Path, tmp_path: Path
) -> None:
    teacher = make_teacher(llm_folder)
    save_model(teacher, tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    del config["files"], config["sha256"]
    new = config["settings"]
    adapter = {"kind": new.pop("adapter"), "r": new.pop("lora_r"), **new.pop("lora")}
    adapter |= {name: new.pop(name) for name in ("n_experts", "target_modules")}
    head = new.pop("head")
    flat = {"head_dim": head.pop("dim"), "head_dropout": head.pop("dropout"), **head}
    old = new | flat | new.pop("text") | {"adapter": adapter}
    old.pop("text", None)
    path.write_text(json.dumps(config | {"format": 1, "settings": old}))
    again = load_model(tmp_path, make_catalog())
    assert again.network.settings == teacher.network.settings
    assert torch.equal(again.score(HISTORIES), teacher.score(HISTORIES))


@pytest.mark.parametrize("kind", ["ilora", "head"])
def test_damage_is_refused_or_has_no_effect(kind: str, llm_folder: Path, tmp_path: Path) -> None:
    save_model(make_teacher(llm_folder, kind), tmp_path / "whole")

    def read(folder: Path) -> torch.Tensor:
        return load_model(folder, make_catalog()).score(HISTORIES)

    n = int(os.environ.get("RECDISTILL_DAMAGES", "40"))
    seed = int(os.environ.get("RECDISTILL_DAMAGES_FROM", "0"))
    refused = check_damages(tmp_path / "whole", tmp_path / "copies", read, UserError, n, seed=seed)
    assert refused > n // 2
