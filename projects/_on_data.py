"""The settings every stage after ``prepare_data`` shares: on which data, by which seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from recdistill.data import (
    Cleaning,
    Columns,
    DataConfig,
    Reading,
    SourceKind,
    SplitRule,
    Temporal,
    prepare,
)

if TYPE_CHECKING:
    from recdistill.data import PreparedData
    from recdistill.tracking import Run


@dataclass(frozen=True)
class OnData:
    """Base of a stage's settings. conf/prepare_data.yaml says what the data's knobs do.

    ``data_seed`` samples users (``max_users``); ``seed`` is the model's. Apart, because runs that
    differ in their seed must still be on the same users to be compared.
    """

    dataset: str = "ml-100k"
    data_path: str = ""
    seed: int = 0
    preset: str = "full"
    use_cache: bool = True
    source: SourceKind = "auto"
    split: SplitRule = "leave_one_out"
    train_file: str = ""
    val_file: str = ""
    test_file: str = ""
    max_users: int = 0
    min_interactions: int = 0
    data_seed: int = 0
    columns: Columns = field(default_factory=Columns)
    reading: Reading = field(default_factory=Reading)
    cleaning: Cleaning = field(default_factory=Cleaning)
    temporal: Temporal = field(default_factory=Temporal)

    def __post_init__(self) -> None:
        DataConfig.of(self)

    def prepared(self, run: Run) -> PreparedData:
        """Prepare the data, or find it prepared, and link it to the run."""
        data = prepare(replace(DataConfig.of(self), seed=self.data_seed))
        run.log_data(data)
        return data
