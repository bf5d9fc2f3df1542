"""A prepared folder in words: what is in it, what was dropped, what leaks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recdistill.data._strata import STRATA

if TYPE_CHECKING:
    from pathlib import Path

    from recdistill.data._prepared import PreparedData


def read_leakage(folder: Path) -> dict[str, Any]:
    """Read a prepared folder's ``leakage.json``."""
    report: dict[str, Any] = json.loads((folder / "leakage.json").read_text(encoding="utf-8"))
    return report


def summary(data: PreparedData) -> str:
    """Markdown of a screen's length."""
    manifest = data.manifest
    counts = manifest["counts"]
    lines = [
        f"# {data.dataset}, {manifest['split']}",
        "",
        f"Folder `{data.folder}`; catalog `{data.catalog.digest[:12]}`, split "
        f"`{data.split_digest[:12]}`.",
        "",
        "| users | items | interactions | train | val cases | test cases |",
        "|---:|---:|---:|---:|---:|---:|",
        f"| {counts['n_users']:,} | {counts['n_items']:,} | {counts['n_interactions']:,} "
        f"| {counts['n_train']:,} | {counts['n_val_cases']:,} | {counts['n_test_cases']:,} |",
        "",
        f"- Split: {manifest['rule']}",
        f"- Order: {manifest['order']}.",
        f"- Users: {manifest['users']}.",
    ]
    n = counts["n_test_cases"]
    half = 1.96 * (0.1 * 0.9 / n) ** 0.5
    lines.append(
        f"- One hit is {1 / n:.2%} of recall on test; the 95% interval of a recall of 0.100 is "
        f"about ±{half:.3f}."
    )
    if "share_of_rows_with_tied_timestamp" in manifest:
        share = manifest["share_of_rows_with_tied_timestamp"]
        lines.append(f"- {share:.1%} of the rows share user and timestamp with another row.")
    by_count = manifest["targets_by_count_in_training"]
    lines += [
        "",
        "## Targets by their item's interactions in training",
        "",
        "| | " + " | ".join(STRATA) + " |",
        "|---|" + "---:|" * len(STRATA),
        *(f"| {part} | " + " | ".join(f"{by_count[part][s]:,}" for s in STRATA) + " |"
          for part in ("val", "test")),
    ]  # fmt: skip
    lines += ["", "## Findings", ""]
    findings = manifest["findings"]
    lines += [f"- {finding['sentence']}" for finding in findings] or ["- Nothing odd was found."]
    lines += ["", "## Leakage", ""]
    lines += [f"- {sentence}" for sentence in read_leakage(data.folder)["sentences"]]
    return "\n".join(lines) + "\n"
