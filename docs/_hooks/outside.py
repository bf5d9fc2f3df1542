"""What a page says about files that are no pages: links become text, tests their sentence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_TEST = re.compile(r"`(tests/\S+?\.py)::test_(\w+)`")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Turn a link that leaves ``docs/`` into its text, if the file is there; else leave it.

    A test's name is a sentence; it is shown as one, the file being its title.
    """
    docs = Path(config.docs_dir).resolve()
    if page.file.abs_src_path is None:
        return markdown
    here = Path(page.file.abs_src_path).parent

    def plain(found: re.Match[str]) -> str:
        target = (here / found[2]).resolve()
        leaves = docs not in target.parents
        return found[1] if leaves and target.exists() else found[0]

    return _TEST.sub(told, _LINK.sub(plain, markdown))


def told(found: re.Match[str]) -> str:
    """Return a test as a sentence."""
    return f'<span class="test" title="{found[1]}">{found[2].replace("_", " ")}</span>'
