"""Peers of the training speed: one that was not there is left out, one that is guarded is not."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from benchmarks import speed_tables
from benchmarks.training_speed import main, peer_and_python


def test_a_peer_is_run_by_the_python_of_its_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("base").touch()
    Path("python").symlink_to("base")  # as in an environment: resolved, it would lose its packages
    assert peer_and_python("recbole=python") == ("recbole", str(tmp_path / "python"))


@pytest.mark.parametrize("said", ["recbole", "recbole=", "=python", "implicit=python"])
def test_what_is_no_peer_is_refused(said):
    with pytest.raises(ArgumentTypeError, match="NAME=PYTHON"):
        peer_and_python(said)


def test_a_run_without_the_guarded_peer_is_refused(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["training_speed", "--peer", "recbole=python"])
    with pytest.raises(SystemExit):
        main()
    assert "--peer rectools=PYTHON is needed" in capsys.readouterr().err


def test_the_table_has_the_peers_that_were_there(tmp_path, monkeypatch):
    ours = {"tokens 1600": 6.0, "tokens 12800": 8.0}
    found = {
        name: {
            "length": 50,
            "targets_per_cpu_second": {key: [rate] for key, rate in (peers | ours).items()},
            "ratio": {p: {own: r / rate for own, r in ours.items()} for p, rate in peers.items()},
        }
        for name, peers in {"a": {"rectools": 2.0}, "b": {"rectools": 4.0, "recbole": 1.0}}.items()
    }
    (tmp_path / "training_speed.json").write_text(json.dumps(found))
    monkeypatch.setattr(speed_tables, "RESULTS", tmp_path)
    head, _, first, _, third, last = speed_tables.training().splitlines()
    assert head.endswith("| recdistill | RecTools | ratio | RecBole | ratio |")
    assert first == "| a, 50 | 1,600 | 6 | 2 | 3.0 | | |"
    assert third == "| b, 50 | 1,600 | 6 | 4 | 1.5 | 1 | 6.0 |"
    assert last == "| b, 50 | 12,800 | 8 | 4 | 2.0 | 1 | 8.0 |"
