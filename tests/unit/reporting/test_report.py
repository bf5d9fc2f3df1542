import csv
import json
import re
import struct
import time
from html.parser import HTMLParser

import pytest

from recdistill.reporting import Resampling, compare_groups, load_groups, select_runs, write_report

from .conftest import opened
from .small_runs import per_user

FEW = Resampling(n_resamples=300)
EVIL = '<script>alert("x")</script>&amp;'


def report(store, folder, **options):
    runs = select_runs(store.client, "tags.dataset = 'tiny'")
    comparison = compare_groups(load_groups(runs), resampling=FEW)
    write_report(comparison, folder, **options)
    return (folder / "report.html").read_text(encoding="utf-8")


def test_students_stand_beside_their_teachers_with_the_margin(store, tmp_path):
    store.write("counter", strength=1.0)
    for seed in (0, 1):
        store.write("sasrec", seed=seed, strength=1.5)
    pool = store.write("together", stage="make_transfer_set", strength=2.6)
    for seed in (0, 1, 2):
        tags = {"transfer_run_id": pool}
        store.write("student", seed=seed, stage="distill", strength=2.5, tags=tags)
    page = report(store, tmp_path / "out")
    assert "Do students reach their teachers?" in page
    assert (tmp_path / "out" / "plots" / "reaching.png").is_file()
    plain = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [one["metric"] for one in plain["reaching_the_teachers"]] == ["recall", "ndcg"]
    student = next(one for one in plain["models"] if one["model"] == "student")
    assert {one["about"] for one in student["against_reference"]} == {"methods"}
    assert student["seed_noise"]["ndcg@10"]["n_runs"] == 3


class Loads(HTMLParser):
    """Collects whatever a browser would load or run, and checks that tags close."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})

    def __init__(self):
        super().__init__()
        self.loads, self.tags, self.open, self.ids = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "srcset", "data", "href", "xlink:href") and tag != "a":
                self.loads.append(value)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def written(tmp_path_factory, empty_database):
    """The folder of a report on a floor and two students."""
    folder = tmp_path_factory.mktemp("report")
    with opened(folder, empty_database) as store:
        store.write("counter", strength=1.0)
        for seed in (0, 1):
            store.write("sasrec", seed=seed)
        report(store, folder / "out", links={"MLflow": "http://127.0.0.1:5000/#/x"})
    return folder / "out"


@pytest.fixture
def page(written):
    return (written / "report.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself(page):
    found = Loads()
    found.feed(page)
    assert found.open == []
    assert all(value.startswith("#") for value in found.loads)
    assert not {"script", "link", "img", "iframe", "object"} & set(found.tags)
    without_anchors = re.sub(r'<a href="[^"]*">', "", page)
    assert "http" not in without_anchors
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_marks_and_clips_of_several_figures_do_not_meet(page):
    found = Loads()
    found.feed(page)
    assert len(found.ids) == len(set(found.ids)) > 0
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) - {""}
    assert {u for u in used if not u.startswith("/")} <= set(found.ids)


def test_the_page_follows_light_dark_and_print(page):
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert figures.count("<svg") == 4
    assert "var(--series-0)" in figures
    assert not re.search(r"(?:fill|stroke): #[0-9a-f]{6}", figures)


def test_names_from_runs_are_escaped_everywhere(store, tmp_path):
    store.write("counter")
    store.write(EVIL, name=EVIL, tags={"command": EVIL, "dataset": "tiny"})
    page = report(store, tmp_path / "out", title=EVIL, question=EVIL)
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_pictures_and_tables_lie_beside_the_page(written):
    for name in ("recall_curves", "deltas", "gains", "cost"):
        data = (written / "plots" / f"{name}.png").read_bytes()
        width, height = struct.unpack(">II", data[16:24])
        assert width >= 1200
        assert height >= 200
    plain = json.loads((written / "comparison.json").read_text())
    assert plain["reference"] == "sasrec"
    assert [m["model"] for m in plain["models"]] == ["sasrec", "counter"]
    assert plain["models"][1]["against_reference"][0]["metric"] == "recall"
    with (written / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["sasrec", "counter"]
    assert float(rows[1]["recall@10"]) == plain["models"][1]["metrics"]["recall@10"]["mean"]


def test_the_page_says_how_to_make_it_again(page):
    assert page.count("python -m projects.train_baseline --model sasrec --seed") == 2
    assert "mlflow run . -e compare -P" in page


@pytest.mark.slow
def test_a_hundred_runs_take_less_than_ten_seconds(store, tmp_path):
    for i, model in enumerate(("popularity", "markov", "ease", "knn", "counter")):
        store.write(model, strength=1 + i / 10)
    for i in range(95):
        table = per_user(1 + i / 60, i)
        store.write("sasrec", seed=i % 3, params={"lr": str(i // 3)}, table=table)
    started = time.process_time()
    page = report(store, tmp_path / "out")
    assert time.process_time() - started < 10
    assert page.count("<small>train_baseline</small>") == 32
