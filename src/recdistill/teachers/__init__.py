"""Language models that rank: prompts, router, gated LoRA, training, the teacher table."""

from recdistill.teachers._checks import audit_parameters, require_gradients
from recdistill.teachers._fit import Fitted, fit_teacher, resolve_precision
from recdistill.teachers._gate import Gate, GatedLinear, attach_gate, register_gate
from recdistill.teachers._llm import LLM, load_llm
from recdistill.teachers._network import TeacherNetwork
from recdistill.teachers._prompt import ItemTokens, Layout, lay_out
from recdistill.teachers._recommender import TeacherRecommender
from recdistill.teachers._router import Router
from recdistill.teachers._settings import AdapterSettings, TeacherSettings
from recdistill.teachers._token_batches import token_batches
from recdistill.teachers._training import TeacherModule, TrainingSettings
from recdistill.teachers._windows import Batch, Windows, export_windows, training_windows

__all__ = [
    "LLM",
    "AdapterSettings",
    "Batch",
    "Fitted",
    "Gate",
    "GatedLinear",
    "ItemTokens",
    "Layout",
    "Router",
    "TeacherModule",
    "TeacherNetwork",
    "TeacherRecommender",
    "TeacherSettings",
    "TrainingSettings",
    "Windows",
    "attach_gate",
    "audit_parameters",
    "export_windows",
    "fit_teacher",
    "lay_out",
    "load_llm",
    "register_gate",
    "require_gradients",
    "resolve_precision",
    "token_batches",
    "training_windows",
]
