"""The settings every stage after ``prepare_data`` shares: on which data, by which seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recdistill.data import DataConfig, prepare

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.runs import Run


@dataclass(frozen=True)
class OnData(DataConfig):
    """Base of a stage's settings. conf/prepare_data.yaml says what the data's knobs do.

    ``data_seed`` samples users (``max_users``); ``seed`` is the model's. Apart, because runs that
    differ in their seed must still be on the same users to be compared.
    """

    preset: str = "full"
    use_cache: bool = True
    data_seed: int = 0

    def prepared(self, run: Run) -> PreparedData:
        """Prepare the data, or find it prepared, and link it to the run."""
        data = prepare(replace(DataConfig.of(self), seed=self.data_seed))
        run.log_data(data)
        return data
