"""SASRec, GRU4Rec: interaction ids in, item scores out."""

from recdistill.students._config import ItemStart, StudentConfig, StudentKind, build_student
from recdistill.students._cooccurrence import cooccurrence_vectors
from recdistill.students._dropout import ByteDropout
from recdistill.students._fitting import (
    FittedStudent,
    StudentRecipe,
    finished,
    fit_student,
    said_by,
    take_in_text,
)
from recdistill.students._gru4rec import GRU4Rec
from recdistill.students._item_table import (
    ItemContent,
    ItemKind,
    TextMap,
    add_text,
    fold_text,
    item_embedding,
)
from recdistill.students._recommender import StudentRecommender, load_model, save_model
from recdistill.students._sasrec import SASRec
from recdistill.training import SequentialModel

__all__ = [
    "ByteDropout",
    "FittedStudent",
    "GRU4Rec",
    "ItemContent",
    "ItemKind",
    "ItemStart",
    "SASRec",
    "SequentialModel",
    "StudentConfig",
    "StudentKind",
    "StudentRecipe",
    "StudentRecommender",
    "TextMap",
    "add_text",
    "build_student",
    "cooccurrence_vectors",
    "finished",
    "fit_student",
    "fold_text",
    "item_embedding",
    "load_model",
    "said_by",
    "save_model",
    "take_in_text",
]
