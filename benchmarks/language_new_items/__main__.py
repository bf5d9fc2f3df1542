"""The command line; see the package."""

from __future__ import annotations

import argparse

import benchmarks.language_new_items
from benchmarks.language_new_items.run import run
from benchmarks.language_new_items.studies import STUDIES
from benchmarks.language_new_items.tables import blocks
from benchmarks.language_new_items.trials import try_settings


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=benchmarks.language_new_items.__doc__)
    parser.add_argument("command", nargs="?", default="table", choices=["try", "run", "table"])
    parser.add_argument("studies", nargs="*", help=f"default: {', '.join(STUDIES)}")
    asked = parser.parse_args()
    if unknown := set(asked.studies) - set(STUDIES):
        parser.error(f"no study is called {', '.join(sorted(unknown))}")
    for name in asked.studies or STUDIES:
        if asked.command == "try":
            try_settings(STUDIES[name])
        if asked.command == "run":
            run(STUDIES[name])
    for block in blocks():
        print(block.text)


if __name__ == "__main__":
    main()
