"""The pages' templates, filled in: what is missing is an error, and every text is escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def fill_in(
    name: str, filters: Mapping[str, Callable[..., str]] | None = None, **facts: Any
) -> str:
    """Fill in a page; it also knows ``version`` and ``now``."""
    environment = Environment(
        loader=PackageLoader("recdistill.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= dict(filters or {})
    page: str = environment.get_template(name).render(
        version=metadata.version("recdistill"), now=datetime.now(UTC), **facts
    )
    return page
