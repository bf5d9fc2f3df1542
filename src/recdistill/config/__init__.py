"""Typed settings: YAML, presets and dotted flags into one dataclass."""
