"""The user's own files: which are meant by a path, and what they hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from recdistill.data._log import ROWS, read_log
from recdistill.data._manifest import read_manifest
from recdistill.data._raw import RawData, first_few
from recdistill.data._readers import reader_for
from recdistill.data._sources._archive import read_members
from recdistill.data._sources._cache import sha256_of
from recdistill.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from recdistill.data._config import DataConfig
    from recdistill.data._raw import Clock, Finding

# Interactions, and the items that lie beside them.
_PAIRS = (
    ("ratings.dat", "movies.dat"),
    ("u.data", "u.item"),
    ("interactions.parquet", "items.parquet"),
    ("interactions.csv", "items.csv"),
    ("ratings.csv", "movies.csv"),
)


def read_bytes(path: Path, what: str) -> bytes:
    """Read a file's content.

    Raises
    ------
    UserError
        When it cannot be read, saying which setting named it.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{what} {path} cannot be read: {error.strerror}.") from None


def in_folder(names: list[str], where: str) -> tuple[str, str | None]:
    """Names of the interactions and the items among a folder's (or archive's) files."""

    def the_one(base: str) -> str | None:
        found = sorted(n for n in names if PurePath(n).name == base)
        if len(found) > 1:
            raise UserError(
                f"{where} holds {len(found)} files {base} ({first_few(found)}), and which one is "
                "meant cannot be told: set data_path to the file itself."
            )
        return found[0] if found else None

    for interactions, items in _PAIRS:
        rows = the_one(interactions)
        if rows:
            return rows, the_one(items)
    atomic = sorted(n for n in names if n.endswith(".inter"))
    if len(atomic) == 1:
        beside = str(PurePath(atomic[0]).with_suffix(".item"))
        return atomic[0], beside if beside in names else None
    known = ", ".join(pair[0] for pair in _PAIRS)
    raise UserError(
        f"{where} holds no interactions that can be recognised (looked for {known} and a single "
        "*.inter): set data_path to the file itself."
    )


def beside(path: Path) -> list[Path]:
    """Where items would lie in the same folder as a file of interactions, the likeliest first."""
    known = dict(_PAIRS)
    candidates = [path.with_suffix(".item")] if path.suffix == ".inter" else []
    candidates += [path.with_name(known[path.name])] if path.name in known else []
    candidates += [path.with_name("items.csv"), path.with_name("items.parquet")]
    return [candidate for candidate in candidates if candidate != path]


def located(config: DataConfig) -> dict[str, Path]:
    """Files on this machine that the settings name, by role; empty for pinned sources.

    Roles are ``interactions``, ``items``, ``archive``, ``train``, ``val`` and ``test``, and ``log``
    where ``data_path`` is a prepared folder.
    """
    files: dict[str, Path] = {}
    if config.train_file:
        files = {part: Path(getattr(config, f"{part}_file")) for part in ("train", "val", "test")}
    elif config.data_path:
        path = Path(config.data_path).expanduser()
        if not path.exists():
            raise UserError(
                f"data_path {path} does not exist: give the file or folder that holds the data."
            )
        if (path / "manifest.json").is_file():
            files = {"log": path / ROWS}
        elif path.is_dir():
            names = [str(p.relative_to(path)) for p in path.iterdir() if p.is_file()]
            interactions, items = in_folder(names, f"The folder {path}")
            files = {"interactions": path / interactions}
            if items:
                files["items"] = path / items
        else:
            files = {"archive" if path.suffix == ".zip" else "interactions": path}
    if files and config.reading.items_file:
        files["items"] = Path(config.reading.items_file)
    elif files and not {"items", "archive", "log"} & set(files):
        rows = next(iter(files.values()))
        if items_beside := next((c for c in beside(rows) if c.is_file()), None):
            files["items"] = items_beside
    return {role: path.expanduser() for role, path in files.items()}


def fingerprint(config: DataConfig) -> dict[str, str]:
    """Sha256 of every local file the settings name, by role."""
    out = {}
    for role, path in located(config).items():
        if not path.is_file():
            setting = {"items": "reading.items_file", "interactions": "data_path"}
            raise UserError(
                f"{setting.get(role, f'{role}_file')} {path} does not exist or is no file."
            )
        out[role] = sha256_of(path)
    return out


def read_archive(path: Path, config: DataConfig) -> tuple[RawData, dict[str, str]]:
    """Read a zip that holds MovieLens, RecBole, CSV or Parquet files."""
    content, (interactions, items) = read_members(
        path, lambda names: in_folder(names, f"The archive {path}")
    )
    blob = (PurePath(interactions).name, content[interactions])
    beside = (PurePath(items).name, content[items]) if items else None
    names_read = {"interactions": interactions} | ({"items": items} if items else {})
    return read_pair(blob, beside, config), names_read


def read_pair(
    interactions: tuple[str, bytes], items: tuple[str, bytes] | None, config: DataConfig
) -> RawData:
    """Read interactions and, where there are any, items; each a (name, content) pair."""
    name, content = interactions
    rows, clock, findings = reader_for(name, config.reading.format).read_interactions(
        content, name, config
    )
    listed: pd.DataFrame | None = None
    if items:
        listed, more = read_items(items[0], items[1], config)
        findings += more
    return RawData(rows, listed, bool(clock), order_rule(clock, name), {}, findings, clock)


def read_items(name: str, content: bytes, config: DataConfig) -> tuple[pd.DataFrame, list[Finding]]:
    """Read an item file by its own ending, else in the format chosen for all files."""
    try:
        reader = reader_for(name)
    except UserError:
        reader = reader_for(name, config.reading.format)
    return reader.read_items(content, name, config)


def order_rule(clock: Clock, name: str) -> str:
    """Where the order of a user's rows comes from, for the manifest."""
    if clock in ("ms", "us", "ns"):
        return f"timestamp in {clock} since 1970; ties keep the order of {name}"
    if clock:
        return f"timestamp; ties keep the order of {name}"
    return f"the order of {name} (it has no timestamps)"


def load_path(config: DataConfig) -> RawData:
    """Read the files that ``data_path`` names."""
    digests = fingerprint(config)
    files = located(config)
    if "log" in files:
        folder = Path(config.data_path).expanduser()
        raw = read_log(folder, read_manifest(folder))
    elif "archive" in files:
        raw, _ = read_archive(files["archive"], config)
        if "items" in files:
            listed, more = read_items(
                files["items"].name, read_bytes(files["items"], "reading.items_file"), config
            )
            raw = replace(raw, items=listed, findings=raw.findings + more)
    else:
        blob = (files["interactions"].name, read_bytes(files["interactions"], "data_path"))
        items = None
        if "items" in files:
            items = (files["items"].name, read_bytes(files["items"], "reading.items_file"))
        raw = read_pair(blob, items, config)
    origin = {"files": {role: str(path) for role, path in files.items()}, "sha256": digests}
    return replace(raw, origin=origin)
