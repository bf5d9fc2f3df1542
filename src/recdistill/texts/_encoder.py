"""What turns texts into vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class TextEncoder(Protocol):
    """Texts in, one vector each out.

    Attributes
    ----------
    dim : int
    digest : str
        32 hex digits over everything that decides a text's vector.
    """

    dim: int
    digest: str

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the texts' vectors, shape [n_texts, dim]; a text's does not depend on others."""
        ...
