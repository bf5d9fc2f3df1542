"""The student that the guide writes passes the suite that the guide inherits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "another_student.md"


def _first_blocks(n: int) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": __name__}
    blocks = re.findall(r"```python\n(.*?)```", _GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks[:n]:
        exec(compile(block, str(_GUIDE), "exec"), names)
    return names


TestMeanStudent = _first_blocks(2)["TestMeanStudent"]
