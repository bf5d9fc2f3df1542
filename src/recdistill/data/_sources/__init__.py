"""Where data sets come from: a pinned wheel, a pinned URL, the data root, the user's path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recdistill.data._sources._files import load_path
from recdistill.data._sources._given import load_given
from recdistill.data._sources._roots import (
    load_amazon_beauty,
    load_lastfm_ilora,
    load_ml_1m_sasrec,
    load_online_retail,
)
from recdistill.data._sources._url import load_ml_1m
from recdistill.data._sources._wheel import load_ml_100k
from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.data._config import DataConfig
    from recdistill.data._raw import RawData

KNOWN = {
    "ml-100k": ("wheel", load_ml_100k),
    "ml-1m": ("url", load_ml_1m),
    "ml-1m-sasrec": ("path", load_ml_1m_sasrec),
    "online-retail": ("path", load_online_retail),
    "amazon-beauty": ("path", load_amazon_beauty),
    "lastfm-ilora": ("path", load_lastfm_ilora),
}
"""Data sets by name: the kind of source they come from unless ``data_path`` is given."""


def load(config: DataConfig) -> RawData:
    """Read the data that the settings name.

    Raises
    ------
    UserError
        For a name nobody knows, or a source that the named data set does not have.
    """
    if config.train_file:
        return load_given(config)
    if config.data_path:
        if config.source not in ("auto", "path"):
            raise UserError(
                f"source={config.source} and data_path are both set: leave one of them out."
            )
        return load_path(config)
    if config.dataset not in KNOWN:
        raise UserError(
            f"'{config.dataset}' is not a data set known by name ({', '.join(KNOWN)}): choose one "
            "of these, or set data_path to your own file or folder."
        )
    kind, loader = KNOWN[config.dataset]
    if config.source not in ("auto", kind):
        raise UserError(
            f"{config.dataset} comes by source={kind}, not {config.source}: leave source out, or "
            "set data_path to a copy of your own."
        )
    return loader(config)
