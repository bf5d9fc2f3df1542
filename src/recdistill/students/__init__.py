"""SASRec, GRU4Rec: interaction ids in, item scores out."""

from recdistill.students._config import ItemStart, StudentConfig, StudentKind, build_student
from recdistill.students._cooccurrence import cooccurrence_vectors
from recdistill.students._dropout import ByteDropout
from recdistill.students._fitting import FittedStudent, StudentRecipe, fit_student
from recdistill.students._gru4rec import GRU4Rec
from recdistill.students._recommender import StudentRecommender, load_model, save_model
from recdistill.students._sasrec import SASRec
from recdistill.training import SequentialModel

__all__ = [
    "ByteDropout",
    "FittedStudent",
    "GRU4Rec",
    "ItemStart",
    "SASRec",
    "SequentialModel",
    "StudentConfig",
    "StudentKind",
    "StudentRecipe",
    "StudentRecommender",
    "build_student",
    "cooccurrence_vectors",
    "fit_student",
    "load_model",
    "save_model",
]
