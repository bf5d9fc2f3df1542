"""Ranks -> metrics, protocols, significance."""

from recdistill.evaluation._evaluation import Evaluation, cases_digest, evaluate, outcome
from recdistill.evaluation._outcomes import KS, METRICS, Metric, expected_outcome, hits_interval
from recdistill.evaluation._recommender import Recommender

__all__ = [
    "KS",
    "METRICS",
    "Evaluation",
    "Metric",
    "Recommender",
    "cases_digest",
    "evaluate",
    "expected_outcome",
    "hits_interval",
    "outcome",
]
