"""From a catalog's texts to item vectors: encoded once, kept by content, reduced in blocks."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from recdistill.texts._reduction import Reducer, fit_reducer
from recdistill.texts._vectors import ItemVectors, write_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from recdistill.data import Catalog
    from recdistill.texts._config import EmbeddingConfig
    from recdistill.texts._encoder import TextEncoder

_CHUNK = 8_192
_TEXTS_AT_ONCE = 512  # how often is said how far it is


def embed_items(
    catalog: Catalog,
    encoder: TextEncoder,
    config: EmbeddingConfig,
    folder: Path,
    *,
    cache: Path,
    about: Mapping[str, Any],
    seed: int = 0,
    report: Callable[[int, int], None] | None = None,
) -> ItemVectors:
    """Write every item's vector into ``folder`` and return them.

    The encoder's own vectors are kept under ``cache`` by the digests of encoder and texts: another
    width, reduction or permutation of them encodes nothing again. Texts pass in chunks and rows in
    blocks, so memory does not grow with the catalog.

    Parameters
    ----------
    catalog : Catalog
        Its ``text`` column is read. An empty text has a zero vector.
    encoder : TextEncoder
    config : EmbeddingConfig
    folder : Path
    cache : Path
    about : mapping
        What to keep beside the vectors on where they come from.
    seed : int
        Of the permutation, where one is asked for.
    report : callable, optional
        Receives the number of texts done and of all texts.
    """
    texts = [str(text) for text in catalog.items["text"]]
    used = np.array([bool(text.strip()) for text in texts])
    rows = _encoded(texts, encoder, cache, report or (lambda done, of: None))
    reducer = fit_reducer(rows, used, config.reduction, config.dim)
    shape = (len(texts) + 1, reducer.directions.shape[1])
    facts = {**about, "encoder_digest": encoder.digest}
    write_vectors(folder, _reduced(rows, used, reducer), shape, catalog.digest, facts)
    vectors = ItemVectors.load(folder, catalog)
    if config.permuted:
        vectors = vectors.permuted(seed)
        vectors.save(folder)
    return vectors


def embed_more(
    catalog: Catalog,
    more: Sequence[str],
    encoder: TextEncoder,
    config: EmbeddingConfig,
    *,
    cache: Path,
) -> NDArray[np.float32]:
    """Return the vectors of further texts, reduced by the map that fits the catalog's.

    Parameters
    ----------
    catalog : Catalog
        Whose texts ``embed_items`` has encoded; they are found under ``cache``, or encoded again.
    more : texts
    encoder, config, cache : those that the catalog's vectors came from

    Returns
    -------
    float32 array, shape [len(more), dim]
        A text of the catalog has the vector there that it has in ``embed_items``.
    """
    texts = [str(text) for text in catalog.items["text"]]
    used = np.array([bool(text.strip()) for text in texts])
    rows = _encoded(texts, encoder, cache, lambda done, of: None)
    reducer = fit_reducer(rows, used, config.reduction, config.dim)
    said = np.array([bool(text.strip()) for text in more])
    reduced: NDArray[np.float32] = reducer(encoder.encode(more)) * said[:, None]
    return reduced


def _encoded(
    texts: list[str], encoder: TextEncoder, cache: Path, report: Callable[[int, int], None]
) -> NDArray[np.float32]:
    """Encode, or find encoded, as a memory-mapped array [n_items, dim]."""
    sha = hashlib.sha256(encoder.digest.encode())
    for text in texts:
        sha.update(text.encode() + b"\x1e")
    target = cache / "item_vectors" / f"{sha.hexdigest()[:32]}.npy"
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if not target.is_file():
            partial = target.with_name(f"{target.name}.{os.getpid()}")
            try:
                _encode_into(partial, texts, encoder, report)
                shutil.move(partial, target)
            finally:
                partial.unlink(missing_ok=True)
    mapped: NDArray[np.float32] = np.load(target, mmap_mode="r", allow_pickle=False)
    return mapped


def _encode_into(
    path: Path, texts: list[str], encoder: TextEncoder, report: Callable[[int, int], None]
) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(texts), encoder.dim)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            chunk = texts[start : start + _TEXTS_AT_ONCE]
            stream.write(np.ascontiguousarray(encoder.encode(chunk), "<f4").tobytes())
            report(start + len(chunk), len(texts))


def _reduced(
    rows: NDArray[np.float32], used: NDArray[np.bool_], reducer: Reducer
) -> Iterator[NDArray[np.float32]]:
    yield np.zeros((1, reducer.directions.shape[1]), np.float32)  # padding
    for start in range(0, len(rows), _CHUNK):
        stop = start + _CHUNK
        yield reducer(np.asarray(rows[start:stop])) * used[start:stop, None]
