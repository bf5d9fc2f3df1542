"""Typed settings: YAML, presets and dotted flags into one dataclass."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.config._dump import as_dotted, as_plain, as_yaml, from_plain
    from recdistill.config._files import (
        conf_folder,
        home,
        merged,
        parse_yaml,
        read_text,
        read_yaml,
    )
    from recdistill.config._help import help_text
    from recdistill.config._in_words import in_words
    from recdistill.config._main_fields import main_fields, main_fields_of
    from recdistill.config._menu import mlproject
    from recdistill.config._notes import COMMON, Notes, read_notes
    from recdistill.config._parse import parse
    from recdistill.config._parts import changed_part, part_of
    from recdistill.config._stages import stage_module, stage_names

__all__ = [
    "COMMON",
    "Notes",
    "as_dotted",
    "as_plain",
    "as_yaml",
    "changed_part",
    "conf_folder",
    "from_plain",
    "help_text",
    "home",
    "in_words",
    "main_fields",
    "main_fields_of",
    "merged",
    "mlproject",
    "parse",
    "parse_yaml",
    "part_of",
    "read_notes",
    "read_text",
    "read_yaml",
    "stage_module",
    "stage_names",
]

import_on_first_use(__name__)
