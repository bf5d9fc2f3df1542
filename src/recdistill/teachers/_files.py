"""A teacher as a folder: what learned, and digests of what it stands on."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from recdistill.checksums import (
    read_description,
    read_tensors,
    understanding,
    write_description,
)
from recdistill.errors import UserError
from recdistill.students import load_model as load_student
from recdistill.students import save_model as save_student
from recdistill.teachers._llm import load_llm
from recdistill.teachers._network import TeacherNetwork
from recdistill.teachers._recommender import Origin, TeacherRecommender
from recdistill.teachers._settings import HeadSettings, LoraSettings, TeacherSettings, TextSettings

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data import Catalog
    from recdistill.teachers._llm import LLM

_FORMAT, _READABLE = 3, (1, 2, 3)  # 2: settings in groups. 3: with checksums
_WEIGHTS = "weights.safetensors"
_ADAPTER = "adapter"
_BACKBONE = "backbone.safetensors"


def save_model(model: TeacherRecommender, folder: Path) -> None:
    """Write a teacher.

    ``adapter/`` is what PEFT itself saves, ``weights.safetensors`` holds router, projector and
    head, ``recommender/`` the frozen baseline. The language model stays where it is; its digest
    goes into ``config.json``.
    """
    network, origin = model.network, model.origin
    if origin is None:
        raise ValueError("a teacher without origin cannot be saved")
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_own(network), folder / _WEIGHTS)
    if network.settings.adapter in ("ilora", "lora"):
        peft: Any = network.peft
        peft.save_pretrained(folder / _ADAPTER, save_embedding_layers=False)
    if network.settings.train_backbone:
        save_file(_backbone(network), folder / _BACKBONE)
    save_student(origin.baseline, folder / "recommender")
    config = {
        "format": _FORMAT,
        "family": "teacher",
        "kind": network.settings.adapter,
        "settings": asdict(network.settings),
        "n_items": network.n_items,
        "catalog_digest": model.catalog_digest,
        "split_digest": origin.split_digest,
        "baseline_digest": baseline_digest(network),
        "llm": _identity(origin.llm),
    }
    (folder / "config.json").unlink(missing_ok=True)  # of a teacher saved here before
    files = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    write_description(folder / "config.json", config, files)


def load_model(
    folder: Path,
    catalog: Catalog,
    *,
    llm: str | None = None,
    dtype: torch.dtype = torch.float32,
    cache: Path | None = None,
) -> TeacherRecommender:
    """Read a teacher back.

    Parameters
    ----------
    llm : str, optional
        Where the language model lies now, if not where the teacher was trained.

    Raises
    ------
    UserError
        When the folder holds no teacher, or one made for another catalog, on another baseline or
        on other language model weights than those found.
    """
    path = folder / "config.json"
    config = read_description(path, "model", formats=_READABLE, checked_from=3)
    if config.get("family") != "teacher":
        raise UserError(f"{folder} holds a {config.get('family')}, not a teacher.")
    catalog.require(str(config.get("catalog_digest")), f"the teacher in {folder}")
    with understanding(path, "teacher"):
        settings = _settings(config)
    if settings.mode != "rank":
        raise UserError(
            f"The teacher in {folder} was trained to write titles (mode=generate), so it has no "
            "scores for the catalog: train one with mode=rank."
        )
    baseline = load_student(folder / "recommender", catalog)
    with understanding(path, "teacher"):
        found = _load_same_llm(config["llm"], llm, dtype, cache)
        network = TeacherNetwork(baseline.model, found, catalog, settings)
        split_digest, wanted = config["split_digest"], config["baseline_digest"]
    if baseline_digest(network) != wanted:
        raise UserError(
            f"The recommender in {folder / 'recommender'} is not the one this teacher was trained "
            "on: the folder was put together from parts; use it as train_teacher wrote it."
        )
    with understanding(path, "teacher"):
        _fill(network, folder)
    origin = Origin(baseline, found, split_digest)
    return TeacherRecommender(network.eval(), config["catalog_digest"], origin)


def baseline_digest(network: TeacherNetwork) -> str:
    """Return 32 hex digits over the frozen recommender's weights."""
    sha = hashlib.sha256()
    for name, tensor in sorted(network.recommender.state_dict().items()):
        sha.update(f"{name} {tuple(tensor.shape)}".encode())
        sha.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return sha.hexdigest()[:32]


def _settings(config: dict[str, Any]) -> TeacherSettings:
    plain = dict(config["settings"])
    if config["format"] == 1:  # which had all settings but the adapter's in one flat list
        adapter = plain["adapter"]
        plain["lora"] = {name: adapter[name] for name in ("alpha", "dropout", "router")}
        plain["head"] = {
            "dim": plain.pop("head_dim"),
            "dropout": plain.pop("head_dropout"),
            "free_items": plain.pop("free_items"),
            "residual": plain.pop("residual"),
        }
        texts = ("instruction", "item_text", "max_title_tokens")
        plain["text"] = {name: plain.pop(name) for name in texts}
        plain |= {"adapter": adapter["kind"], "lora_r": adapter["r"]}
        plain |= {name: adapter[name] for name in ("n_experts", "target_modules")}
    groups = {"lora": LoraSettings, "head": HeadSettings, "text": TextSettings}
    nested = {name: kind(**plain[name]) for name, kind in groups.items()}
    return TeacherSettings(**plain | nested)


def _identity(llm: LLM | None) -> dict[str, object] | None:
    if llm is None:
        return None
    return {
        "name": llm.name,
        "n_layers": llm.n_layers,
        "weights": llm.weights,
        "seed": llm.seed,
        "digest": llm.digest,
    }


def _load_same_llm(
    identity: dict[str, Any] | None, override: str | None, dtype: torch.dtype, cache: Path | None
) -> LLM | None:
    if identity is None:
        return None
    llm = load_llm(
        override or identity["name"],
        n_layers=identity["n_layers"],
        weights=identity["weights"],
        seed=identity["seed"],
        dtype=dtype,
        cache=cache,
    )
    if llm.digest != identity["digest"]:
        raise UserError(
            f"This teacher was trained on language model weights {identity['digest'][:12]} but "
            f"{llm.name} has {llm.digest[:12]}: pass the model it was trained with."
        )
    return llm


def _own(network: TeacherNetwork) -> dict[str, torch.Tensor]:
    """Everything that learned outside the language model."""
    return {
        name: p.detach().cpu().contiguous()
        for name, p in network.named_parameters()
        if not name.startswith(("peft.", "recommender."))
    }


def _backbone(network: TeacherNetwork) -> dict[str, torch.Tensor]:
    """Return the language model's own weights, tied ones once."""
    return {
        name: p.detach().cpu().contiguous()
        for name, p in network.named_parameters()
        if name.startswith("peft.") and ".lora_" not in name
    }


def _fill(network: TeacherNetwork, folder: Path) -> None:
    from peft import set_peft_model_state_dict

    own = read_tensors(folder / _WEIGHTS, "model")
    wanted = set(_own(network))
    if set(own) != wanted:
        difference = ", ".join(sorted(set(own) ^ wanted)[:3])
        raise UserError(f"{folder / _WEIGHTS} does not fit its config.json ({difference}).")
    if network.settings.train_backbone:
        own |= read_tensors(folder / _BACKBONE, "model")
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, tensor in own.items():
            parameters[name].copy_(tensor)
    if network.settings.adapter in ("ilora", "lora"):
        state = read_tensors(folder / _ADAPTER / "adapter_model.safetensors", "model")
        result = set_peft_model_state_dict(network.peft, state)
        missing = [name for name in result.missing_keys if ".lora_" in name]
        if missing or result.unexpected_keys:
            raise UserError(
                f"The adapter in {folder / _ADAPTER} does not fit its config.json "
                f"({(missing or result.unexpected_keys)[0]})."
            )
