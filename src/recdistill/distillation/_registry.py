"""The terms by name: ours, and anybody's as ``module:Class``."""

from __future__ import annotations

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from recdistill.distillation._dros import DROS
from recdistill.distillation._listwise import Listwise
from recdistill.distillation._ranking import Ranking
from recdistill.distillation._reference_ranking import ReferenceRanking
from recdistill.distillation._terms import Term
from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from recdistill.distillation._config import TermConfigs
    from recdistill.lessons._lessons import Lessons


@dataclass(frozen=True)
class TermInputs:
    """What a term may be built from beside its settings.

    Attributes
    ----------
    lessons : Lessons
    item_counts : int tensor, shape [n_items + 1]
        Training interactions per item id.
    """

    lessons: Lessons
    item_counts: Tensor


def _ranking(configs: TermConfigs, inputs: TermInputs) -> Term:
    config = configs.ranking
    if config.variant == "reference_code":
        sequences = inputs.lessons.sequences
        return ReferenceRanking(config, configs.dros, inputs.item_counts, sequences)
    distance = inputs.lessons.distance[inputs.lessons.covered]
    confidence = torch.exp(-distance / config.beta)
    return Ranking(config, float(confidence.mean()) if len(distance) else 1.0)


TERMS: dict[str, Callable[[TermConfigs, TermInputs], Term]] = {
    "ranking": _ranking,
    "listwise": lambda configs, _: Listwise(configs.listwise),
    "dros": lambda configs, inputs: DROS(configs.dros, inputs.item_counts),
}


def build_term(name: str, configs: TermConfigs, inputs: TermInputs) -> Term:
    """Return the term called ``name``.

    ``module:Class`` takes a term from a file of the user's own, built without arguments.

    Raises
    ------
    UserError
        For a name that nobody registered, or a class that cannot be had or is no term.
    """
    if ":" in name:
        return _imported(name)()
    if name not in TERMS:
        raise UserError(
            f"There is no term {name!r}: take one of {', '.join(TERMS)}, or your own as "
            "module:Class."
        )
    return TERMS[name](configs, inputs)


def sources_digest(names: Iterable[str]) -> str:
    """Return 16 hex digits over the files of the users' own terms; empty where there are none."""
    files = [importlib.import_module(_imported(n).__module__).__file__ for n in names if ":" in n]
    sha = hashlib.sha256(b"".join(Path(file).read_bytes() for file in sorted(filter(None, files))))
    return sha.hexdigest()[:16] if files else ""


def _imported(name: str) -> type[Term]:
    module_name, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except ImportError as error:
        raise UserError(
            f"The term {name!r} cannot be imported ({error}): its file must lie in the folder you "
            "work in, or be installed."
        ) from None
    except AttributeError:
        raise UserError(f"The term {name!r}: {module_name} has no {class_name}.") from None
    if not (isinstance(found, type) and issubclass(found, Term)):
        raise UserError(f"The term {name!r} must be a class derived from distillation.Term.")
    return found
