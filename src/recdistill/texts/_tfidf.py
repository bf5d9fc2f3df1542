"""TF-IDF of words and character n-grams, factorised without ever being dense."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MAX_FEATURES = 50_000
_FITTED_ON = 50_000
_WORD = r"(?u)\b\w+\b"  # single characters too: sizes and model numbers tell items apart


class TfidfFeatures:
    """Words, pairs of words and character n-grams, weighted by TF-IDF; both kinds count alike.

    Parameters
    ----------
    texts : sequence of str
        What vocabulary and weights are taken from.

    Raises
    ------
    UserError
        When the texts have nothing in common that could be counted.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        shared = {
            "min_df": 1 if len(texts) < 1_000 else 2,
            "sublinear_tf": True,
            "dtype": np.float32,
            "max_features": _MAX_FEATURES,
        }
        words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=_WORD, **shared)
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), **shared)
        self._halves = [half for half in (words, characters) if _knows_any(half, texts)]
        if not self._halves:
            raise UserError(
                f"The {len(texts):,} texts have neither a word nor three characters in a row that "
                "two of them share, so TF-IDF cannot tell what is alike: give the items titles, or "
                "more columns by columns.text, or set student.item=id."
            )

    def __call__(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Return unit rows of sparse features, [n_texts, n_features]; empty texts are zero."""
        told = sparse.hstack([half.transform(texts) for half in self._halves])
        return normalize(sparse.csr_matrix(told))


def _knows_any(half: TfidfVectorizer, texts: Sequence[str]) -> bool:
    """Fit a vectorizer, and say whether the texts have anything that it counts."""
    try:
        half.fit(texts)
    except ValueError:  # an empty vocabulary, or one of which nothing is met often enough
        return False
    return True


class TfidfEncoder:
    """A truncated SVD of the texts' ``TfidfFeatures``.

    It is randomised (Halko et al. 2011) and reads the sparse matrix only.

    Parameters
    ----------
    texts : sequence of str
        What vocabulary, weights and directions are taken from; of more than 50,000 texts a sample
        with a seed, so that memory stays bounded.
    dim : int
        Fewer where the texts have fewer features.
    seed : int
    """

    def __init__(self, texts: Sequence[str], dim: int, *, seed: int = 0) -> None:
        if len(texts) > _FITTED_ON:
            picked = np.random.default_rng(seed).choice(len(texts), _FITTED_ON, replace=False)
            texts = [texts[i] for i in np.sort(picked)]
        self.features = TfidfFeatures(texts)
        features = self.features(texts)
        self.dim = max(1, min(dim, min(features.shape) - 1))
        self._svd = TruncatedSVD(self.dim, n_iter=4, random_state=seed).fit(features)
        sha = hashlib.sha256(f"tfidf {dim} {seed}\n".encode())
        for text in texts:
            sha.update(text.encode() + b"\x1e")
        self.digest = sha.hexdigest()[:32]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See ``TextEncoder``."""
        vectors: NDArray[np.float32] = self._svd.transform(self.features(texts))
        return vectors.astype(np.float32)
