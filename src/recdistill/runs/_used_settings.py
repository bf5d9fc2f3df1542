"""The settings that mean something for what was chosen: a counter has no learning rate."""

from __future__ import annotations

from typing import Any

from recdistill.config import as_dotted


def used_settings(config: Any) -> dict[str, Any]:
    """Flatten settings to dotted names, without those that the others leave without a meaning.

    Parameters
    ----------
    config : dataclass
        One with a method ``unused`` names by it the settings that change nothing; a name stands
        for all settings below it.
    """
    unused = frozenset(config.unused()) if hasattr(config, "unused") else frozenset()
    return {
        name: value
        for name, value in as_dotted(config).items()
        if name not in unused and name.partition(".")[0] not in unused
    }
