"""What is trained and compared on each data set, written down before anything was tested."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from recdistill.lessons import ViewsConfig

Kind = Literal["network", "counts", "on_views", "student"]
Words = tuple[str, ...]
ON_VIEWS: tuple[Kind, ...] = ("on_views", "student")


@dataclass(frozen=True)
class Recipe:
    """One way to make a model, with the settings that are tried for it.

    Attributes
    ----------
    kind : Kind
        ``on_views`` and ``student`` are SASRec on views of the histories; only the student is told
        what the teachers say about them.
    model : str
        Of ``train_baseline``.
    tried : tuple of words for the command line, one set per setting
        Of ``train_baseline`` for networks and counts, of ``distill`` for the others; on top of the
        full preset.
    text : str
        Arm of ``benchmarks.language`` whose vectors stand beside the items' own; "" for none.
    of : str
        The recipe whose network is trained on views.
    """

    kind: Kind
    model: str
    tried: tuple[Words, ...]
    text: str = ""
    of: str = "sasrec"


@dataclass(frozen=True)
class Contrast:
    """What decides: the student must beat each of the others on the test part.

    All of the tests must pass, so the largest p is the contrast's, and nothing is corrected for.

    Attributes
    ----------
    student : str
    others : tuple of str
    metric : "ndcg"
    level : float
    """

    student: str
    others: tuple[str, ...]
    level: float
    metric: Literal["ndcg"] = "ndcg"


@dataclass(frozen=True)
class Setting:
    """A data set's experiment.

    Attributes
    ----------
    recipes : dict of Recipe by the name of its files
    members : tuple of str
        Recipes and floors that teach together.
    views : ViewsConfig
    contrast : Contrast
    member_words : dict of words by recipe
        What differs in a network that teaches.
    top_k : int
        Items of a list.
    n_seeds : int
    other_views : dict of ViewsConfig by recipe and number
        What a setting was tried on, where it was something else.
    """

    recipes: dict[str, Recipe]
    members: tuple[str, ...]
    views: ViewsConfig
    contrast: Contrast
    member_words: dict[str, Words] = field(default_factory=dict)
    top_k: int = 30
    n_seeds: int = 8
    other_views: dict[tuple[str, int], ViewsConfig] = field(default_factory=dict)

    def views_of_trial(self, recipe: str, number: int) -> ViewsConfig:
        """Return what a setting was tried on."""
        return self.other_views.get((recipe, number), self.views)


BASELINE, CONTROL = "sasrec", "sasrec-on-views"
WITH_TEXT, TFIDF = "sasrec-text", "tfidf-128"
POOL, STUDENT = "teacher-networks-and-floors", "student-networks-and-floors"
OTHERS = (BASELINE, CONTROL, "gru4rec", "counter")
GRU4REC = ("--student.n_blocks=1", "--loss_options.label_smoothing=0")
COUNTER = Recipe(
    "counts",
    "counter",
    ((), ("--counter.window=5",), ("--counter.decay=0.9",), ("--counter.window=20",)),
)
WARM = ("--warm_start=true", "--max_epochs=8", "--lr=0.001")
# Without lists a start from the baseline wants a lower rate, and dropout.
WARM_ALONE = ("--warm_start=true", "--max_epochs=8", "--lr=0.0003", "--dropout=0.1")
# As many steps on twice as many views, and half as many.
WARM_MORE = ("--warm_start=true", "--max_epochs=4", "--lr=0.001")
WARM_ALONE_MORE = ("--warm_start=true", "--max_epochs=4", "--lr=0.0003", "--dropout=0.1")
WARM_SHORT = ("--warm_start=true", "--max_epochs=2", "--lr=0.001")
TWO_COUNTERS = Recipe("counts", "counter", COUNTER.tried[:2])

SETTINGS = {
    "ml-100k": Setting(
        {
            BASELINE: Recipe(
                "network",
                "sasrec",
                (
                    ("--student.dropout=0.4",),
                    ("--student.dropout=0.5",),
                    ("--student.dropout=0.3",),
                    ("--student.dropout=0.2",),
                ),
            ),
            "gru4rec": Recipe(
                "network",
                "gru4rec",
                (
                    (*GRU4REC, "--student.dropout=0.4"),
                    (*GRU4REC, "--student.dropout=0.5"),
                    (*GRU4REC, "--student.dropout=0.3"),
                    (*GRU4REC, "--student.dropout=0.2"),
                ),
            ),
            "counter": COUNTER,
            CONTROL: Recipe(
                "on_views",
                "sasrec",
                (
                    ("--max_epochs=4",),
                    ("--max_epochs=4", "--dropout=0.2"),
                    ("--max_epochs=2",),
                    ("--max_epochs=4", "--dropout=0.1"),
                ),
            ),
            STUDENT: Recipe(
                "student",
                "sasrec",
                (
                    ("--max_epochs=4",),
                    ("--max_epochs=4", "--dropout=0.1"),
                    ("--max_epochs=6",),
                    ("--max_epochs=4", "--loss_weight=0.1"),
                ),
            ),
        },
        ("sasrec", "gru4rec", "ease", "knn", "counter"),
        ViewsConfig(n_views=12),
        Contrast(STUDENT, OTHERS, level=0.01),
    ),
    # A longer schedule than the preset's, whose curve still rose at its end. Few settings each:
    # a trial takes a quarter of an hour of a core and more. The third and later ones, and the
    # wider SASRec in the pool, came after the first baselines, GRU4Recs, a counter and one
    # control had met the test part, and before any student had. Tries by hand, one step earlier
    # in time, led to them: 64 numbers an item seemed too few for so many interactions, so the
    # teacher is wider, and the student starts from its baseline, without dropout, to take in
    # more of it. The first two trials of the student were taught by a pool whose SASRec was as
    # wide as itself, of 18 epochs; its third started from a baseline of 45 epochs at dropout
    # .15, what is on eight views from one of 60. Dropout turned out to cost a student much, so
    # its baseline was tried with less, too.
    "ml-1m-sasrec": Setting(
        {
            BASELINE: Recipe(
                "network",
                "sasrec",
                (
                    ("--max_epochs=30",),
                    ("--max_epochs=30", "--student.dropout=0.2"),
                    ("--max_epochs=45",),
                    ("--max_epochs=60",),
                    ("--max_epochs=45", "--student.dropout=0.1"),
                    ("--max_epochs=45", "--student.dropout=0.05"),
                ),
            ),
            "gru4rec": Recipe(
                "network",
                "gru4rec",
                (
                    (*GRU4REC, "--max_epochs=16"),
                    (*GRU4REC, "--max_epochs=16", "--student.dropout=0.25"),
                    (*GRU4REC, "--max_epochs=24"),
                    (*GRU4REC, "--max_epochs=32"),
                    (*GRU4REC, "--max_epochs=32", "--student.dropout=0.1"),
                    (*GRU4REC, "--max_epochs=32", "--student.dropout=0.2"),
                ),
            ),
            "counter": Recipe(
                "counts",
                "counter",
                (
                    *COUNTER.tried,
                    ("--counter.window=20", "--counter.decay=0.7"),
                    ("--counter.window=20", "--counter.decay=0.85"),
                ),
            ),
            CONTROL: Recipe(
                "on_views",
                "sasrec",
                (
                    ("--max_epochs=8",),
                    ("--max_epochs=8", "--dropout=0.1"),
                    WARM_ALONE,
                    WARM_ALONE_MORE,
                    ("--warm_start=true", "--max_epochs=8", "--lr=0.0003", "--dropout=0.05"),
                    ("--warm_start=true", "--max_epochs=8", "--lr=0.001", "--dropout=0.1"),
                ),
            ),
            STUDENT: Recipe(
                "student",
                "sasrec",
                (
                    ("--max_epochs=8",),
                    ("--max_epochs=8", "--dropout=0.1"),
                    WARM,
                    WARM_MORE,
                    (*WARM_SHORT, "--loss_weight=0.1"),
                    (*WARM_SHORT, "--dropout=0.1", "--loss_weight=0.1"),
                ),
            ),
        },
        ("sasrec", "gru4rec", "counter", "ease"),
        ViewsConfig(n_views=4),
        Contrast(STUDENT, OTHERS, level=0.05),
        member_words={
            "sasrec": ("--student.dim=128", "--student.dropout=0.2", "--max_epochs=14"),
            "gru4rec": ("--max_epochs=12",),
        },
        other_views=dict.fromkeys(
            ((CONTROL, 3), (STUDENT, 3), (STUDENT, 4), (STUDENT, 5)), ViewsConfig(n_views=8)
        ),
    ),
    # Sparse, and with texts: the student reads them, and so does all that it is compared with but
    # GRU4Rec and the counter. The floor that reads nothing but texts is among the teachers.
    "amazon-beauty": Setting(
        {
            BASELINE: Recipe("network", "sasrec", ((), ("--student.dropout=0.4",))),
            WITH_TEXT: Recipe("network", "sasrec", ((), ("--student.dropout=0.4",)), TFIDF),
            "gru4rec": Recipe(
                "network",
                "gru4rec",
                ((*GRU4REC,), (*GRU4REC, "--student.dropout=0.3")),
            ),
            "counter": TWO_COUNTERS,
            CONTROL: Recipe(
                "on_views",
                "sasrec",
                (("--max_epochs=5", "--dropout=0.4"), ("--max_epochs=5", "--dropout=0.3")),
                TFIDF,
                WITH_TEXT,
            ),
            STUDENT: Recipe(
                "student",
                "sasrec",
                (("--max_epochs=5", "--dropout=0.4"), ("--max_epochs=5", "--dropout=0.3")),
                TFIDF,
                WITH_TEXT,
            ),
        },
        (BASELINE, WITH_TEXT, "counter", "knn", "tfidf"),
        ViewsConfig(n_views=4),
        Contrast(STUDENT, (*OTHERS, WITH_TEXT), level=0.01),
        n_seeds=5,
    ),
}
