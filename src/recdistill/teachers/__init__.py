"""Language models that rank: prompts, router, gated LoRA, training, the teacher table."""

from recdistill.teachers._checks import audit_parameters, require_gradients
from recdistill.teachers._gate import Gate, GatedLinear, attach_gate, register_gate
from recdistill.teachers._llm import LLM, load_llm
from recdistill.teachers._network import TeacherNetwork
from recdistill.teachers._prompt import ItemTokens, Layout, lay_out
from recdistill.teachers._router import Router
from recdistill.teachers._settings import AdapterSettings, TeacherSettings
from recdistill.teachers._windows import Batch, Windows, export_windows, token_batches

__all__ = [
    "LLM",
    "AdapterSettings",
    "Batch",
    "Gate",
    "GatedLinear",
    "ItemTokens",
    "Layout",
    "Router",
    "TeacherNetwork",
    "TeacherSettings",
    "Windows",
    "attach_gate",
    "audit_parameters",
    "export_windows",
    "lay_out",
    "load_llm",
    "register_gate",
    "require_gradients",
    "token_batches",
]
