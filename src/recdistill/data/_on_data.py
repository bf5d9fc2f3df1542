"""The settings every stage after ``prepare_data`` shares: on which data, by which seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recdistill.data._config import DataConfig

if TYPE_CHECKING:
    from recdistill.data._prepared import PreparedData


@dataclass(frozen=True)
class OnData(DataConfig):
    """Base of a stage's settings. conf/prepare_data.yaml says what the data's knobs do.

    ``data_seed`` samples users (``max_users``); ``seed`` is the model's. Apart, because runs that
    differ in their seed must still be on the same users to be compared.
    """

    preset: str = "full"
    use_cache: bool = True
    data_seed: int = 0


def prepare_for(config: OnData) -> PreparedData:
    """Prepare the data of a stage's settings, or find it prepared; see :func:`prepare`."""
    # Here: settings are checked without the libraries that read data.
    from recdistill.data._prepare import prepare

    return prepare(replace(DataConfig.of(config), seed=config.data_seed))
