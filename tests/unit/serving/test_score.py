from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recdistill.data import DataConfig, prepare
from recdistill.errors import UserError
from recdistill.serving import Scoring, TopK, Workforce, score
from recdistill.serving._histories import n_rows_of, read_parts
from recdistill.serving._output import Output
from recdistill.serving._score import _Parts

if TYPE_CHECKING:
    from pathlib import Path

HISTORIES = {
    "ada": ["1", "2", "3"],
    "bob": ["nowhere", "4"],
    "cyd": ["gone"],
    "dan": [],
    "eve": [str(i) for i in range(1, 59)],
    "fay": ["60"],
    "gus": ["7", "8"],
}


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "users.parquet"
    pq.write_table(pa.table({"user": list(HISTORIES), "history": list(HISTORIES.values())}), path)
    return path


def rows(output: Path) -> list[dict[str, object]]:
    parts = sorted(output.glob("part-*.parquet"))
    return pa.concat_tables(pq.read_table(p) for p in parts).to_pylist()


def test_every_user_gets_the_list_that_the_served_model_gives(
    folder: Path, users: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = score(folder, Scoring("run", str(users), k=5, titles=True, part_size=3), out)
    assert (done.n_users, done.n_parts, done.n_unknown, done.n_empty) == (7, 3, 2, 2)
    found = {row["user"]: row for row in rows(out)}
    assert list(found) == list(HISTORIES)
    assert [len(row["items"]) for row in found.values()] == [5, 5, 0, 0, 2, 5, 5]
    top_k = TopK.read(folder)
    best, scores = top_k.recommend(*flat([[1, 2, 3], [4], [7, 8]]), 5)
    for row, user in enumerate(("ada", "bob", "gus")):
        assert found[user]["items"] == top_k.names.raw_ids[best[row]].tolist()
        assert found[user]["titles"] == top_k.names.titles[best[row]].tolist()
        assert found[user]["scores"] == pytest.approx(scores[row].tolist(), abs=1e-5)


def flat(histories: list[list[int]]) -> tuple[object, object]:
    from recdistill.data import Sequences

    sequences = Sequences.from_lists(histories)
    return sequences.items.astype("int64"), sequences.offsets


def test_without_an_input_nobody_is_recommended_what_they_had_before(
    folder: Path, tmp_path: Path
) -> None:
    log = [
        (f"u{u}", f"i{7 * u + day}", day * 86_400 + u)
        for u in range(5)
        for day in range(28)
        if day < 20 or u % 2 == 0
    ]
    lines = [f"{user},{item},{when}" for user, item, when in log]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,timestamp", *lines]))
    asked = DataConfig("shop", str(tmp_path / "log.csv"), split="rolling")
    data = prepare(asked, tmp_path / "data")  # tests the first item of the last week alone
    done = score(folder, Scoring("run", "", k=60, part_size=2), tmp_path / "out", data=data)
    assert (done.n_users, done.n_parts) == (5, 3)
    n_rows = {user: len([row for row in log if row[0] == user]) for user, _, _ in log}
    assert {row["user"]: 60 - len(row["items"]) for row in rows(tmp_path / "out")} == n_rows


def test_an_interrupted_scoring_goes_on_and_leaves_finished_parts_alone(
    folder: Path, users: Path, tmp_path: Path
) -> None:
    out, scoring = tmp_path / "out", Scoring("run", str(users), k=5, part_size=2)
    score(folder, scoring, out)
    whole = rows(out)
    (out / "part-000001.parquet").unlink()
    kept = out / "part-000000.parquet"
    before = kept.stat().st_mtime_ns
    done = score(folder, scoring, out)
    assert done.n_users == 7
    assert rows(out) == whole
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"another scoring \(k differ\)"):
        score(folder, Scoring("run", str(users), k=6, part_size=2), out)


def test_shards_share_the_parts(folder: Path, users: Path, tmp_path: Path) -> None:
    out, scoring = tmp_path / "out", Scoring("run", str(users), k=5, part_size=2)
    first = score(folder, scoring, out, workforce=Workforce(shard=0, n_shards=2))
    assert first.n_parts == 2
    assert score(folder, scoring, out, workforce=Workforce(shard=1, n_shards=2)).n_users == 7


def test_interactions_become_the_same_parts_as_histories(users: Path, tmp_path: Path) -> None:
    pairs = [(user, item) for user, history in HISTORIES.items() for item in history]
    path = tmp_path / "interactions.parquet"
    table = pa.table({"user": [u for u, _ in pairs], "item": [i for _, i in pairs]})
    pq.write_table(table, path, row_group_size=4)  # users span row groups
    raw_ids = pa.array(["", *map(str, range(1, 61))]).to_numpy(zero_copy_only=False)
    from_lists, from_rows = (
        {
            user: part.items[start:end].tolist()
            for part in read_parts(source, raw_ids, 3)
            for user, start, end in zip(
                part.users.to_pylist(), part.offsets, part.offsets[1:], strict=False
            )
        }
        for source in (users, path)
    )
    assert from_lists.pop("dan") == []  # who did nothing has no row
    assert from_rows == from_lists
    for source in (users, path):  # what the line of progress counts adds up
        parts = read_parts(source, raw_ids, 3)
        assert sum(part.n_rows for part in parts) == n_rows_of(source)


def test_progress_counts_the_rows_of_all_parts_whoever_does_them(
    users: Path, tmp_path: Path
) -> None:
    raw_ids = pa.array(["", *map(str, range(1, 61))]).to_numpy(zero_copy_only=False)
    told: list[int] = []
    mine = _Parts(read_parts(users, raw_ids, 2), Output.at(tmp_path / "out"), 1, 2, told.append)
    assert [part.index for part in mine] == [1, 3]
    assert told == [2, 2, 2, 1]


def test_a_users_rows_lying_apart_are_refused(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "mixed.parquet"
    pq.write_table(pa.table({"user": [1, 2, 1], "item": ["1", "2", "3"]}), path)
    with pytest.raises(UserError, match="rows of user 1 do not lie together"):
        score(folder, Scoring("run", str(path)), tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"user": ["a", "a", None, "b"], "item": ["1", "2", "9", "5"]}, "no user"),
        ({"user": [1.0, 1.0, None, 2.0], "item": [1, 2, 9, 5]}, "no user"),
        ({"user": ["a", "a", "b", "b"], "item": ["1", "2", None, "5"]}, "no item"),
        ({"user": ["a", "b", None], "history": [["1"], ["2"], ["3"]]}, "no user"),
        (
            {"user": ["a", "b", "c"], "history": [["1"], None, ["3", None]]},
            "an item that is null in its history",
        ),
    ],
)
def test_a_row_without_a_user_or_an_item_is_refused_by_its_place(
    tmp_path: Path, content: dict[str, list[object]], complaint: str
) -> None:
    table, source = pa.table(content), tmp_path / "users"
    source.mkdir()
    pq.write_table(table.slice(0, 1), source / "0.parquet")  # rows are counted in their own file
    pq.write_table(table, source / "1.parquet", row_group_size=2)
    raw_ids = pa.array(["", *map(str, range(1, 61))]).to_numpy(zero_copy_only=False)
    with pytest.raises(UserError, match=rf"^Row 3 of \S+1\.parquet has {complaint}: fill it in"):
        list(read_parts(source, raw_ids, 3))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read as Parquet"), ({"id": [1]}, "has the columns id; it needs user and")],
)
def test_unreadable_users_are_refused(
    folder: Path, tmp_path: Path, content: dict[str, list[int]] | None, complaint: str
) -> None:
    path = tmp_path / "users.parquet"
    if content:
        pq.write_table(pa.table(content), path)
    with pytest.raises(UserError, match=complaint):
        score(folder, Scoring("run", str(path)), tmp_path / "out")
