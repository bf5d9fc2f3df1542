"""The encoder that made some item vectors, found again by what they say of themselves."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal

from recdistill import teachers, texts
from recdistill.errors import UserError
from recdistill.texts import EmbeddingConfig

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from recdistill.data import Catalog
    from recdistill.runs import RunFinder
    from recdistill.texts import TextEncoder

TFIDF = "tfidf"


def build_encoder(
    name: str,
    config: EmbeddingConfig,
    catalog: Catalog,
    *,
    weights: Literal["pretrained", "random"] = "pretrained",
    seed: int = 0,
    device: str = "cpu",
) -> TextEncoder:
    """Fit TF-IDF on the catalog's texts, or read a model, fetched where need be."""
    if name == TFIDF:
        return texts.TfidfEncoder([str(text) for text in catalog.items["text"]], config.dim)
    return texts.TransformerEncoder.read(
        teachers.locate_llm(name), config, weights=weights, seed=seed, device=device
    )


def encoder_input(
    name: str, weights: Literal["pretrained", "random"] = "pretrained"
) -> dict[str, str]:
    """Name the files that an encoder's name stands for now, for a stage's content key.

    TF-IDF has none: its code and the texts that it is fitted on are in the key as they are.

    Raises
    ------
    UserError
        When the model cannot be found.
    """
    return {} if name == TFIDF else {"encoder": teachers.llm_content(name, weights)}


def vectors_of_new_items(
    about: Mapping[str, Any], catalog: Catalog, n_known: int, finder: RunFinder
) -> NDArray[np.float32]:
    """Return the vectors of a catalog's later items, from where those of its first ones came.

    Parameters
    ----------
    about : what the known items' vectors say of where they come from
    catalog : Catalog, grown
    n_known : int
        Its first items, whose vectors exist.
    finder : finds the teacher's run, where a teacher was the encoder

    Returns
    -------
    float32 array, shape [catalog.n_items - n_known, dim]

    Raises
    ------
    UserError
        When the encoder is no longer what it was, or the vectors meant nothing (``permuted``).
    """
    config = EmbeddingConfig(**{f.name: about[f.name] for f in fields(EmbeddingConfig)})
    if config.permuted:
        raise UserError(
            "This student was trained on other items' texts (permuted=true), as a control: it can "
            "place no new item."
        )
    known = catalog.first(n_known)
    if run_id := about.get("teacher_run"):
        teacher = finder.find(str(run_id), "train_teacher")
        model = teachers.load_model(teacher.artifact("model"), known)
        encoder: TextEncoder = teachers.adapted_encoder(model, config)
    else:
        encoder = build_encoder(
            str(about["encoder"]),
            config,
            known,
            weights=about["weights"],
            seed=int(about.get("seed", 0)),
        )
    if encoder.digest != about.get("encoder_digest"):
        raise UserError(
            f"The encoder {about.get('encoder', run_id)} is not the one that the student was "
            "trained with (its digest differs): make the vectors and the student again."
        )
    new = [str(text) for text in catalog.items["text"].iloc[n_known:]]
    return texts.embed_more(known, new, encoder, config, cache=teachers.cache_root())
