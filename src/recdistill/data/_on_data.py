"""The settings every stage after ``prepare_data`` shares: on which data, by which seed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from recdistill.data._config import DataConfig

if TYPE_CHECKING:
    from recdistill.data._prepared import PreparedData


@dataclass(frozen=True)
class OnData(DataConfig):
    """Base of a stage's settings. conf/prepare_data.yaml says what the data's knobs do.

    ``data_seed`` samples users (``max_users``); ``seed`` is the model's. Apart, because runs that
    differ in their seed must still be on the same users to be compared. ``prepared`` names a folder
    that prepare_data wrote, by path or by its name under ``data/``; the settings of the data are
    not asked then.
    """

    preset: str = "full"
    use_cache: bool = True
    data_seed: int = 0
    prepared: str = ""

    def unused(self) -> set[str]:
        """Name the settings that mean nothing here; see ``runs.used_settings``."""
        if not self.prepared:
            return super().unused() | {"prepared"}
        return super().unused() | {f.name for f in fields(DataConfig)} - {"dataset", "seed"}


def prepare_for(config: OnData) -> PreparedData:
    """Prepare the data of a stage's settings, or find it prepared; see :func:`prepare`."""
    # Here: settings are checked without the libraries that read data.
    from recdistill.data._extend import prepared_at
    from recdistill.data._prepare import prepare
    from recdistill.data._store import load_prepared

    if config.prepared:
        return load_prepared(prepared_at(config.prepared, Path("data"), "prepared"))
    return prepare(replace(DataConfig.of(config), seed=config.data_seed))
