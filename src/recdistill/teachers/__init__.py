"""Language models that rank: prompts, router, gated LoRA, training."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.teachers._adapted_texts import adapted_encoder
    from recdistill.teachers._build import build_teacher
    from recdistill.teachers._candidates import Choices, draw_candidates
    from recdistill.teachers._checks import audit_parameters, size_metrics
    from recdistill.teachers._config import TeacherConfig
    from recdistill.teachers._files import load_model, save_model
    from recdistill.teachers._fit import Fitted, fit_teacher
    from recdistill.teachers._gate import Gate
    from recdistill.teachers._generative import GenerativeTeacher, Prompts
    from recdistill.teachers._generative_fit import (
        choose_by_scores,
        fit_generative,
    )
    from recdistill.teachers._gguf import cache_root
    from recdistill.teachers._llm import (
        LLM,
        llm_content,
        load_llm,
        locate_llm,
    )
    from recdistill.teachers._memory_limits import MemoryLimits
    from recdistill.teachers._memory_plan import PlannedTraining, plan_training
    from recdistill.teachers._memory_step import teacher_step
    from recdistill.teachers._network import TeacherNetwork
    from recdistill.teachers._recipe import TeacherRecipe, load_recipe, save_recipe
    from recdistill.teachers._recommender import Origin, TeacherRecommender
    from recdistill.teachers._settings import (
        GenerateSettings,
        HeadSettings,
        LoraSettings,
        TeacherSettings,
        TextSettings,
        Weights,
    )
    from recdistill.teachers._step_config import StepConfig
    from recdistill.teachers._title_test import answer_cases, answers_table
    from recdistill.teachers._training_settings import (
        OptimizerSettings,
        Precision,
        TrainingSettings,
    )
    from recdistill.teachers._windows import (
        Batch,
        Windows,
        training_windows,
    )

__all__ = [
    "LLM",
    "Batch",
    "Choices",
    "Fitted",
    "Gate",
    "GenerateSettings",
    "GenerativeTeacher",
    "HeadSettings",
    "LoraSettings",
    "MemoryLimits",
    "OptimizerSettings",
    "Origin",
    "PlannedTraining",
    "Precision",
    "Prompts",
    "StepConfig",
    "TeacherConfig",
    "TeacherNetwork",
    "TeacherRecipe",
    "TeacherRecommender",
    "TeacherSettings",
    "TextSettings",
    "TrainingSettings",
    "Weights",
    "Windows",
    "adapted_encoder",
    "answer_cases",
    "answers_table",
    "audit_parameters",
    "build_teacher",
    "cache_root",
    "choose_by_scores",
    "draw_candidates",
    "fit_generative",
    "fit_teacher",
    "llm_content",
    "load_llm",
    "load_model",
    "load_recipe",
    "locate_llm",
    "plan_training",
    "save_model",
    "save_recipe",
    "size_metrics",
    "teacher_step",
    "training_windows",
]

import_on_first_use(__name__)
