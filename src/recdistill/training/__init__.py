"""Lightning glue: loops, callbacks, resume."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.training._baseline import baseline_settings, find_baseline
    from recdistill.training._batches import Batch
    from recdistill.training._build_loss import build_loss
    from recdistill.training._config import (
        FitConfig,
        LossConfig,
        OptimizerConfig,
    )
    from recdistill.training._distributed import placement, shared_out
    from recdistill.training._fit import FitResult, fit
    from recdistill.training._fit_student import (
        FittedStudent,
        finished,
        fit_student,
        said_by,
        take_in_text,
    )
    from recdistill.training._losses import GBCE, Loss, Softmax
    from recdistill.training._quiet import lightning_quiet
    from recdistill.training._recipe import StudentRecipe
    from recdistill.training._recipe_file import load_recipe, save_recipe
    from recdistill.training._resume import (
        Resumable,
        interruptible,
        kept_folder,
        resumable_checkpoint,
        signature_lines,
    )
    from recdistill.training._row_adamw import RowAdamW
    from recdistill.training._sampled_softmax import MixedSoftmax, SampledSoftmax
    from recdistill.training._settings import StudentTraining
    from recdistill.training._shown_steps import ShownSteps
    from recdistill.training._softmax import weighted_logsumexp
    from recdistill.training._step import LossAlone, Objective, Step
    from recdistill.training._touched_rows import loss_for

__all__ = [
    "GBCE",
    "Batch",
    "FitConfig",
    "FitResult",
    "FittedStudent",
    "Loss",
    "LossAlone",
    "LossConfig",
    "MixedSoftmax",
    "Objective",
    "OptimizerConfig",
    "Resumable",
    "RowAdamW",
    "SampledSoftmax",
    "ShownSteps",
    "Softmax",
    "Step",
    "StudentRecipe",
    "StudentTraining",
    "baseline_settings",
    "build_loss",
    "find_baseline",
    "finished",
    "fit",
    "fit_student",
    "interruptible",
    "kept_folder",
    "lightning_quiet",
    "load_recipe",
    "loss_for",
    "placement",
    "resumable_checkpoint",
    "said_by",
    "save_recipe",
    "shared_out",
    "signature_lines",
    "take_in_text",
    "weighted_logsumexp",
]

import_on_first_use(__name__)
