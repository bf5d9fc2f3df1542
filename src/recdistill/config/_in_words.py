"""A setting's type in the words of whoever sets it."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

_PLAIN = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def in_words(hint: Any) -> str:
    """Say what a setting takes.

    Examples
    --------
    >>> in_words(Literal["mean", "last"]), in_words(list[str]), in_words(dict[str, dict[str, Any]])
    ('mean | last', 'list of texts', 'settings by name')
    """
    if get_origin(hint) is Literal:
        return " | ".join(map(str, get_args(hint)))
    if get_origin(hint) in (list, tuple):
        return f"list of {in_words(get_args(hint)[0])}s"
    if get_origin(hint) is dict:
        inner = get_args(hint)[1]
        if inner is Any:
            return "settings"
        if get_origin(inner) is dict:
            return f"{in_words(inner)} by name"
        return f"names with a {in_words(inner)} each"
    if hint in _PLAIN:
        return _PLAIN[hint]
    kinds = [in_words(one) for one in get_args(hint) if one is not type(None)]
    return " or ".join([*kinds, "null"]) if kinds else str(hint)
