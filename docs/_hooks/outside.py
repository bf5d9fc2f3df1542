"""Links to files of the repository that are no pages: readable on the forge, plain text here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Turn a link that leaves ``docs/`` into its text, if the file is there; else leave it."""
    docs = Path(config.docs_dir).resolve()
    if page.file.abs_src_path is None:
        return markdown
    here = Path(page.file.abs_src_path).parent

    def plain(found: re.Match[str]) -> str:
        target = (here / found[2]).resolve()
        leaves = docs not in target.parents
        return found[1] if leaves and target.exists() else found[0]

    return _LINK.sub(plain, markdown)
