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


class TfidfFeatures:
    """Words, pairs of words and character n-grams, weighted by TF-IDF; both kinds count alike.

    Parameters
    ----------
    texts : sequence of str
        What vocabulary and weights are taken from.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        shared = {
            "min_df": 1 if len(texts) < 1_000 else 2,
            "sublinear_tf": True,
            "dtype": np.float32,
            "max_features": _MAX_FEATURES,
        }
        self._words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=_WORD, **shared)
        self._characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), **shared)
        self._words.fit(texts)
        self._characters.fit(texts)

    def __call__(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Return unit rows of sparse features, [n_texts, n_features]; empty texts are zero."""
        both = sparse.hstack([self._words.transform(texts), self._characters.transform(texts)])
        return normalize(sparse.csr_matrix(both))


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
        self.dim = min(dim, min(features.shape) - 1)
        self._svd = TruncatedSVD(self.dim, n_iter=4, random_state=seed).fit(features)
        sha = hashlib.sha256(f"tfidf {dim} {seed}\n".encode())
        for text in texts:
            sha.update(text.encode() + b"\x1e")
        self.digest = sha.hexdigest()[:32]

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See ``TextEncoder``."""
        vectors: NDArray[np.float32] = self._svd.transform(self.features(texts))
        return vectors.astype(np.float32)
