"""Item texts -> item vectors: TF-IDF or a language model, reduced, keyed by the catalog."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.texts._config import EmbeddingConfig, Encoding, Reduction
    from recdistill.texts._embed import embed_items, embed_more
    from recdistill.texts._encoder import TextEncoder
    from recdistill.texts._tfidf import TfidfEncoder, TfidfFeatures
    from recdistill.texts._transformer import TransformerEncoder
    from recdistill.texts._vectors import ItemVectors

__all__ = [
    "EmbeddingConfig",
    "Encoding",
    "ItemVectors",
    "Reduction",
    "TextEncoder",
    "TfidfEncoder",
    "TfidfFeatures",
    "TransformerEncoder",
    "embed_items",
    "embed_more",
]

import_on_first_use(__name__)
