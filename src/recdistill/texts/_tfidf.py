"""TF-IDF of words and character n-grams, factorised without ever being dense."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_MAX_FEATURES = 50_000
_FITTED_ON = 50_000
_WORD = r"(?u)\b\w+\b"  # single characters too: sizes and model numbers tell items apart


class TfidfEncoder:
    """Words, pairs of words and character n-grams, weighted by TF-IDF; a truncated SVD of them.

    The two kinds of features have equal weight. The SVD is randomised (Halko et al. 2011) and
    reads the sparse matrix only.

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
        rare = 1 if len(texts) < 1_000 else 2
        shared = {
            "min_df": rare,
            "sublinear_tf": True,
            "dtype": np.float32,
            "max_features": _MAX_FEATURES,
            "token_pattern": _WORD,
        }
        self._words = TfidfVectorizer(ngram_range=(1, 2), **shared).fit(texts)
        characters = shared | {"token_pattern": None}
        self._characters = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 4), **characters
        ).fit(texts)
        features = self.features(texts)
        self.dim = min(dim, min(features.shape) - 1)
        self._svd = TruncatedSVD(self.dim, n_iter=4, random_state=seed).fit(features)
        sha = hashlib.sha256(f"tfidf {dim} {seed}\n".encode())
        for text in texts:
            sha.update(text.encode() + b"\x1e")
        self.digest = sha.hexdigest()[:32]

    def features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Return unit rows of sparse features, [n_texts, n_features]; empty texts are zero."""
        both = sparse.hstack([self._words.transform(texts), self._characters.transform(texts)])
        return normalize(sparse.csr_matrix(both))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See ``TextEncoder``."""
        vectors: NDArray[np.float32] = self._svd.transform(self.features(texts))
        return vectors.astype(np.float32)
