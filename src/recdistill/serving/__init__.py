"""The served model and the batch scorer."""

from recdistill.serving._load import load_recommender

__all__ = ["load_recommender"]
