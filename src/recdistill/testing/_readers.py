"""The laws that every reader of a file format keeps."""

from __future__ import annotations

from abc import abstractmethod

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recdistill.data import DataConfig, Reader
from recdistill.errors import UserError

Interaction = tuple[str, str, int, int]
"""User, item, rating, time in seconds."""

_IDS = st.integers(1, 99).map(str)
_ROWS = st.lists(
    st.tuples(_IDS, _IDS, st.integers(1, 5), st.integers(0, 2**40)), min_size=1, max_size=20
)
_EDITS = st.lists(
    st.tuples(st.integers(0, 10**4), st.integers(0, 30), st.binary(max_size=3)),
    min_size=1,
    max_size=4,
)


def _inherited(n_examples: int) -> settings:
    # Several classes run one inherited test, which hypothesis takes for a mistake.
    shared = [HealthCheck.differing_executors]
    return settings(deadline=None, max_examples=n_examples, suppress_health_check=shared)


_TITLES = {"1": "Alien", "2": "Brazil: the film", "10": "Les Enfants"}


class ReaderSuite:
    """Inherit this as ``class TestMine(ReaderSuite)`` and say how your format is written.

    Attributes
    ----------
    interactions_name, items_name : str
        Names of the two files, as users have them.
    config : DataConfig
        Settings that a file of this format needs.
    """

    interactions_name: str
    items_name: str
    config: DataConfig = DataConfig(dataset="tested")

    @abstractmethod
    def reader(self) -> Reader:
        """Return the reader under test."""

    @abstractmethod
    def write_interactions(self, rows: list[Interaction]) -> bytes:
        """Write interactions in the format."""

    @abstractmethod
    def write_items(self, titles: dict[str, str]) -> bytes:
        """Write items, id to title, in the format."""

    @given(rows=_ROWS)
    @_inherited(30)
    def test_rows_come_back_as_they_were_written(self, rows: list[Interaction]) -> None:
        content = self.write_interactions(rows)
        frame, clock, findings = self.reader().read_interactions(
            content, self.interactions_name, self.config
        )
        assert frame["user"].astype(str).tolist() == [row[0] for row in rows]
        assert frame["item"].astype(str).tolist() == [row[1] for row in rows]
        assert frame["order"].tolist() == [row[3] for row in rows]
        assert frame["line"].is_monotonic_increasing
        assert clock in ("number", "s")
        assert findings == []

    def test_items_come_back_with_their_titles(self) -> None:
        frame, findings = self.reader().read_items(
            self.write_items(_TITLES), self.items_name, self.config
        )
        assert dict(zip(frame["raw_id"], frame["title"], strict=True)) == _TITLES
        assert findings == []

    @pytest.mark.parametrize("content", [b"", b"\n", b"\x00", b"\xff\xfe\xff"])
    def test_a_file_without_interactions_is_refused_in_one_sentence(self, content: bytes) -> None:
        with pytest.raises(UserError) as refused:
            self.reader().read_interactions(content, self.interactions_name, self.config)
        assert len(str(refused.value).splitlines()) == 1

    @given(rows=_ROWS, edits=_EDITS)
    @_inherited(100)
    def test_a_damaged_file_is_read_or_refused_in_one_sentence(
        self, rows: list[Interaction], edits: list[tuple[int, int, bytes]]
    ) -> None:
        content = self.write_interactions(rows)
        for place, length, put in edits:
            at = place % (len(content) + 1)
            content = content[:at] + put + content[at + length :]
        said = "nothing"
        try:
            frame, _, _ = self.reader().read_interactions(
                content, self.interactions_name, self.config
            )
            assert len(frame) > 0
            assert frame[["user", "item", "order"]].notna().all(axis=None)
        except UserError as refused:
            said = str(refused)
        assert len(said.splitlines()) == 1
