"""From a model's name to its configuration, without its weights and without the network."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from recdistill.errors import UserError

DEPTH_NAMES = ("num_hidden_layers", "n_layer", "num_layers")


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    text = files("recdistill.memory").joinpath("shapes.yaml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return loaded


def known_shapes() -> list[str]:
    """Names of the decoders whose shapes are shipped."""
    return sorted(_shipped())


def shipped_parameters(name: str) -> int:
    """Return the published number of parameters of a shipped shape."""
    return int(_shipped()[name]["parameters"])


def decoder_config(llm: str, llm_layers: int = 0) -> Any:
    """Find the configuration of a decoder.

    Parameters
    ----------
    llm
        A shipped name (``llama-2-7b``; an owner before a slash and upper case are ignored), a local
        folder or ``config.json``, or a Hugging Face name whose configuration is already cached.
    llm_layers
        Keep the first so many layers; 0 keeps all.

    Returns
    -------
    transformers.PretrainedConfig

    Raises
    ------
    UserError
        The name is none of these (nothing is ever downloaded here), or ``llm_layers`` exceeds the
        depth.
    """
    from transformers import AutoConfig

    name = llm.rstrip("/").split("/")[-1].lower()
    if Path(llm).exists():
        config = _from_path(Path(llm))
    elif name in _shipped():
        shape = {key: value for key, value in _shipped()[name].items() if key != "parameters"}
        config = AutoConfig.for_model(shape.pop("model_type"), **shape)
    else:
        try:
            config = AutoConfig.from_pretrained(llm, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UserError(
                f"No shape is known for llm={llm!r}: it is neither shipped "
                f"({', '.join(known_shapes())}), nor a local folder, nor in the Hugging Face "
                "cache; give the folder that holds its config.json, or download it once with "
                f"`hf download {llm} config.json`."
            ) from error
    return _cut(config, llm, llm_layers)


def _from_path(path: Path) -> Any:
    from transformers import AutoConfig

    file = path / "config.json" if path.is_dir() else path
    if file.suffix == ".json" and file.is_file():
        entries = json.loads(file.read_text(encoding="utf-8"))
        if "model_type" in entries:
            return AutoConfig.for_model(entries.pop("model_type"), **entries)
    raise UserError(
        f"{path} holds no decoder configuration: expected a config.json with a model_type; point "
        "llm at the folder of a Hugging Face model."
    )


def _cut(config: Any, llm: str, llm_layers: int) -> Any:
    if llm_layers == 0:
        return config
    depth = decoder_depth(config)
    if not 0 < llm_layers <= depth:
        raise UserError(
            f"llm_layers={llm_layers} is outside 1..{depth}, the depth of {llm}; use 0 for all."
        )
    config.num_hidden_layers = llm_layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:llm_layers]
    return config


def decoder_depth(config: Any) -> int:
    """Read the number of layers, under whichever name the family uses."""
    for name in DEPTH_NAMES:
        depth = getattr(config, name, None)
        if depth is not None:
            return int(depth)
    raise UserError(
        f"A configuration of type {getattr(config, 'model_type', '?')} names no number of layers "
        f"({', '.join(DEPTH_NAMES)}): is it a decoder?"
    )
