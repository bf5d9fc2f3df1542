"""The settings on which the memory planner is held against measurements, and the measuring.

``python -m benchmarks.memory_grid`` measures all of them on the CPU (about ten minutes on one core,
under 4 GB) and rewrites ``benchmarks/data/memory_grid_cpu.json``; with ``--device cuda`` it
measures on the GPU at hand and writes ``memory_grid_cuda.json``. ``--missing`` keeps the rows that
are there and measures the others.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import peft
import torch
import transformers

from recdistill.memory import MemorySettings, measure

DATA = Path(__file__).parent / "data"
_QV = {"target_modules": "q_proj,v_proj"}
_SMOL: dict[str, Any] = {"llm": "smollm2-135m", "llm_layers": 6, "batch": 8, "length": 128}
_OPT: dict[str, Any] = {"llm": "opt-125m", "llm_layers": 6, "batch": 8, "length": 128}
_GPT2: dict[str, Any] = {"llm": "gpt2", "llm_layers": 4, "batch": 8, "length": 128}
_QWEN2: dict[str, Any] = {"llm": "qwen2.5-0.5b", "llm_layers": 2, "batch": 4, "length": 128}
_QWEN3: dict[str, Any] = {"llm": "qwen3-0.6b", "llm_layers": 2, "batch": 4, "length": 128}

GRID: list[dict[str, Any]] = [
    {**_SMOL},
    {**_SMOL, "llm_layers": 0, "batch": 2, "length": 64},
    {**_SMOL, "llm_layers": 0, "batch": 4, "length": 128, "checkpointing": True},
    {**_SMOL, "batch": 16},
    {**_SMOL, "length": 256, "attention": "eager"},
    {**_SMOL, "length": 256},
    {**_SMOL, "lora_r": 64},
    {**_SMOL, "lora_r": 16, "n_experts": 8},
    {**_SMOL, "adapter": "lora", **_QV},
    {**_SMOL, "gating": "outputs"},
    {**_SMOL, "lora_dropout": 0.0},
    {**_SMOL, "checkpointing": True},
    {**_SMOL, "scoring": "full"},
    {**_SMOL, "vocabulary_logits": True, "batch": 4},
    {**_SMOL, "mode": "generate", "prompt": "hybrid"},
    {**_SMOL, "resize_vocabulary": "trainable"},
    {**_SMOL, "resize_vocabulary": "frozen"},
    {**_SMOL, "adapter": "none", "train_backbone": True},
    {**_SMOL, "adapter": "none"},
    {**_SMOL, "optimizer": "sgd"},
    {**_SMOL, "precision": "bf16", "batch": 4},
    {**_OPT},
    {**_OPT, "batch": 32, **_QV},
    {**_OPT, "checkpointing": True, **_QV},
    {**_OPT, "resize_vocabulary": "trainable", **_QV},
    {**_OPT, "attention": "eager", "scoring": "last", **_QV},
    {**_GPT2},
    {**_GPT2, "attention": "eager", "checkpointing": True},
    {**_GPT2, "prompt": "hybrid", "length": 256, "batch": 4},
    {**_QWEN2},
    {**_QWEN2, "mode": "generate"},
    {**_QWEN2, "gating": "outputs", "lora_dropout": 0.0},
    {**_QWEN3},
    {**_QWEN3, "checkpointing": True, "batch": 8},
    {**_SMOL, "item_titles": True},
    {**_SMOL, "item_titles": True, "copies": 2, "checkpointing": True},
    {**_OPT, "item_titles": True, **_QV},
    {**_QWEN2, "item_titles": True, "prompt": "hybrid"},
]


def with_device(entry: dict[str, Any], device: str) -> MemorySettings:
    """Complete a grid entry; the CPU works in single precision unless told otherwise."""
    precision = "fp32" if device == "cpu" else "bf16"
    # Most of the grid is the head alone; the last rows add its table of pooled titles.
    defaults: dict[str, Any] = {"precision": precision, "device": device, "item_titles": False}
    return MemorySettings(**(defaults | entry))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--missing", action="store_true", help="measure new settings only")
    options = parser.parse_args()
    device = options.device
    path = DATA / f"memory_grid_{device}.json"
    known = json.loads(path.read_text())["rows"] if options.missing and path.exists() else []
    if device == "cpu":
        torch.set_num_threads(1)
    rows = []
    for entry in GRID:
        before = next((row for row in known if row["settings"] == entry), None)
        if before:
            rows.append(before)
            continue
        gc.collect()
        started = time.perf_counter()
        measured = measure(with_device(entry, device))
        rows.append(
            {
                "settings": entry,
                "peak_bytes": measured.peak_bytes,
                "phases": measured.phases,
                "reserved_bytes": measured.reserved_bytes,
            }
        )
        seconds = time.perf_counter() - started
        print(
            f"{len(rows)}/{len(GRID)} {measured.peak_bytes / 1e6:9.1f} MB {seconds:5.1f} s {entry}"
        )
    content = {
        "command": shlex.join(["python", "-m", "benchmarks.memory_grid", *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine() + " CPU",
        "method": (
            "torch.cuda.max_memory_allocated"
            if device == "cuda"
            else "every allocation reported by PyTorch's CPU allocator to its profiler, one thread"
        ),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
        },
        "rows": rows,
    }
    DATA.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
