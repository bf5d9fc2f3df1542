"""In which number format a teacher computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from recdistill.errors import UserError

if TYPE_CHECKING:
    from recdistill.teachers._training_settings import Precision


def resolve_precision(
    precision: Precision, device: Literal["cuda", "cpu"] | None = None
) -> tuple[str, torch.dtype]:
    """Choose Lightning's precision and the frozen language model's number format.

    Parameters
    ----------
    precision : Precision
    device : {"cuda", "cpu"}, optional
        For which; by default the GPU if there is one.

    Returns
    -------
    precision : str
        ``auto`` resolved by what the device can do.
    dtype : torch.dtype
        For the frozen weights: half as wide where the arithmetic is.

    Raises
    ------
    UserError
        When float16 with a loss scaler is asked for without a GPU.
    """
    gpu = torch.cuda.is_available() if device is None else device == "cuda"
    if precision == "auto" and gpu:
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        precision = "bf16-mixed" if native else "16-mixed"
    elif precision == "auto":
        # Emulated, bfloat16 would be slower than 32 bits.
        can = torch.cpu.get_capabilities()
        native = can.get("avx512_bf16", False) or can.get("amx_bf16", False)
        precision = "bf16-mixed" if native else "32-true"
    if precision == "16-mixed" and not gpu:
        raise UserError(
            "precision=16-mixed needs a GPU for its loss scaler: use bf16-mixed, 32-true or auto."
        )
    formats = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return precision, formats.get(precision, torch.float32)
