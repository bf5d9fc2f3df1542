"""The story of a registered model, on its page: who serves, who challenged, what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.serving._rules import CHALLENGER, CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from recdistill.serving._registry import Registry, Version

_MOST_VERSIONS = 30


def write_story(registry: Registry) -> None:
    """Write the story of the newest versions into the registered model's description."""
    registry.describe(tell_story(registry))


def tell_story(registry: Registry) -> str:
    """Return a table of the newest versions, as Markdown."""
    holders = {alias: registry.holder(alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)}
    aliases = {held.number: alias for alias, held in holders.items() if held}
    lines = [
        "| version | is now | model run | NDCG@10 | challenge | |",
        "|---:|---|---|---:|---|---|",
    ]
    versions = registry.versions()
    lines += [_row(one, aliases.get(one.number, "")) for one in versions[:_MOST_VERSIONS]]
    if len(versions) > _MOST_VERSIONS:
        lines += ["", f"And {len(versions) - _MOST_VERSIONS} older versions."]
    return "\n".join(lines)


def _row(version: Version, alias: str) -> str:
    tags = version.tags
    words = tags.get("challenge.words", "").replace("|", "/").replace("\n", " ")
    if version.rolled_back:
        words += f" Rolled back {version.rolled_back}."
    ndcg = tags.get("test/ndcg_at_10")
    cells = [
        str(version.number),
        f"**{alias}**" if alias else "",
        tags.get("model_run", ""),
        f"{float(ndcg):.4f}" if ndcg else "",
        tags.get("challenge", "not judged"),
        words,
    ]
    return f"| {' | '.join(cells)} |"
