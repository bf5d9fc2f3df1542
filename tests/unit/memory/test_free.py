from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from recdistill.memory import free_bytes, free_host_bytes

if TYPE_CHECKING:
    from pathlib import Path

GB = 10**9
V2 = ("", "memory.max", "memory.current", "inactive_file")
V1 = ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


@pytest.fixture(autouse=True)
def sixteen_gb_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 16 * GB

    monkeypatch.setattr(psutil, "virtual_memory", Memory)


def container(root: Path, version: tuple[str, ...], limit: str, used: int, cached: int) -> Path:
    folder, limit_name, used_name, cached_name = version
    (root / folder).mkdir(exist_ok=True)
    (root / folder / limit_name).write_text(f"{limit}\n")
    (root / folder / used_name).write_text(f"{used}\n")
    (root / folder / "memory.stat").write_text(f"anon 5\n{cached_name} {cached}\n")
    return root


@pytest.mark.parametrize("version", [V1, V2])
def test_a_containers_limit_counts_without_what_it_only_caches(
    tmp_path: Path, version: tuple[str, ...]
) -> None:
    root = container(tmp_path, version, str(4 * GB), used=3 * GB, cached=1 * GB)
    assert free_host_bytes(root) == 2 * GB


@pytest.mark.parametrize("limit", ["max", str(2**62)])
def test_without_a_limit_the_machines_memory_counts(tmp_path: Path, limit: str) -> None:
    assert free_host_bytes(container(tmp_path, V2, limit, 3 * GB, 0)) == 16 * GB
    assert free_host_bytes(tmp_path / "no cgroup here") == 16 * GB


def test_the_gpu_asked_about_wins_over_the_one_present() -> None:
    assert free_bytes(24.0) == 24 * GB
