"""Sources -> interactions -> catalog -> split -> sequences."""

from recdistill.data._catalog import Catalog
from recdistill.data._prepared import Cases, PreparedData
from recdistill.data._sequences import Sequences

__all__ = ["Cases", "Catalog", "PreparedData", "Sequences"]
