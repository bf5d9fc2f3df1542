"""Lightning without its lines about devices, its tips and its warnings about itself."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Not all of them are said in Lightning's own name.
_KNOWN = (
    ".*weights_only.*",
    # Our loaders are a handful of index operations; worker processes would only cost memory.
    ".*does not have many workers.*",
    ".*exists and is not empty.*",
    ".*in eval mode at the start of training.*",
    ".*LeafSpec.*",
)


@contextmanager
def lightning_quiet() -> Iterator[None]:
    """Let Lightning report errors alone; also where it is made, not just where it runs."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            for message in _KNOWN:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logger.setLevel(level)
