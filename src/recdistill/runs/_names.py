"""Names of runs: what differs comes first, and a column of a table shows them whole."""

from __future__ import annotations

import re

LONGEST = 30
"""Characters of a run's name."""

_STAGE_WORDS = ("baseline", "distill", "transfer", "teacher", "texts", "table", "update")


def run_name(lead: str, end: str = "") -> str:
    """Join what distinguishes a run with what it is, in 30 characters.

    Parameters
    ----------
    lead : str
        What differs. Where it is another run's name, that run's own end says nothing more.
    end : str
        What every run of the stage has in common, seed included, as "s0-baseline". It stays
        whole; without one the name is a person's own and stays as it is.

    Examples
    --------
    >>> run_name("sasrec", "s0-baseline")
    'sasrec-s0-baseline'
    >>> run_name("listwise1-transfer-s0-distill", "score")
    'listwise1-transfer-s0-score'
    >>> run_name("sasrec+gru4rec+ease+counter+ilora-compact", "s0-transfer")
    'sasrec+gru4rec+eas-s0-transfer'
    """
    if not end:
        return lead
    if re.search(r"-s\d+", lead):
        for word in _STAGE_WORDS:
            lead = lead.removesuffix(f"-{word}")
    room = LONGEST - len(end) - 1
    return f"{lead[:room].rstrip('-+._ ')}-{end}"


def metric_word(label: str) -> str:
    """Return a label in the letters that MLflow allows in a metric's name.

    Examples
    --------
    >>> metric_word("sasrec (lr=0.1, id+text)")
    'sasrec-lr-0.1-id-text'
    """
    words = "".join(c if c.isalnum() or c in "._-" else " " for c in label)
    return "-".join(words.split())[:120]


def is_made_up(name: str) -> bool:
    """Whether MLflow made the name up: adjective-noun-number."""
    words = name.split("-")
    if len(words) == 1:
        return len(name) == 32  # no name at all: the id stands for it
    return len(words) == 3 and words[2].isdigit() and words[0].isalpha() and words[1].isalpha()
