"""Ranks -> metrics, protocols, significance."""

from typing import TYPE_CHECKING

from recdistill._lazy import import_on_first_use

if TYPE_CHECKING:
    from recdistill.evaluation._artifacts import load_evaluation, write_evaluation
    from recdistill.evaluation._clusters import Clusters, by_item, by_user, spread_over_users
    from recdistill.evaluation._evaluate import cases_digest, evaluate
    from recdistill.evaluation._evaluation import Evaluation, outcome
    from recdistill.evaluation._new_items import Calibration, Shifted, calibrate_new_items
    from recdistill.evaluation._non_inferiority import (
        Finding,
        NonInferiority,
        compare_to_margin,
    )
    from recdistill.evaluation._outcomes import METRICS, Metric, expected_outcome, hits_interval
    from recdistill.evaluation._paired import PairedTest, compare_paired, compare_users
    from recdistill.evaluation._planning import Plan, plan_verdict
    from recdistill.evaluation._position_scores import PositionScores
    from recdistill.evaluation._protocol import KNOWN_TIME, PROTOCOL, protocols_differ
    from recdistill.evaluation._recall_curve import recall_curve
    from recdistill.evaluation._recipes import RecipeTest, compare_recipes
    from recdistill.evaluation._recommender import Recommender
    from recdistill.evaluation._significance import (
        bootstrap_interval,
        holm,
        mcnemar_exact,
        n_users_for_power,
        p_words,
        permutation_test,
    )
    from recdistill.evaluation._trainings import NOTHING_DRAWN, SeedNoise, Trainings, boil_down

__all__ = [
    "KNOWN_TIME",
    "METRICS",
    "NOTHING_DRAWN",
    "PROTOCOL",
    "Calibration",
    "Clusters",
    "Evaluation",
    "Finding",
    "Metric",
    "NonInferiority",
    "PairedTest",
    "Plan",
    "PositionScores",
    "RecipeTest",
    "Recommender",
    "SeedNoise",
    "Shifted",
    "Trainings",
    "boil_down",
    "bootstrap_interval",
    "by_item",
    "by_user",
    "calibrate_new_items",
    "cases_digest",
    "compare_paired",
    "compare_recipes",
    "compare_to_margin",
    "compare_users",
    "evaluate",
    "expected_outcome",
    "hits_interval",
    "holm",
    "load_evaluation",
    "mcnemar_exact",
    "n_users_for_power",
    "outcome",
    "p_words",
    "permutation_test",
    "plan_verdict",
    "protocols_differ",
    "recall_curve",
    "spread_over_users",
    "write_evaluation",
]

import_on_first_use(__name__)
