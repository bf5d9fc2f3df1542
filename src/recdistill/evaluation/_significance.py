"""The small statistics: one function per test, on plain arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom, norm

from recdistill.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# Resamples held in memory at once are limited by this many numbers (8 MB of float32).
_BLOCK_NUMBERS = 2_000_000
_LARGE = 100_000
"""From so many cases on, drawing gives the normal limit to more digits than anybody reads."""


def mcnemar_exact(n_first: int, n_second: int) -> float:
    """Test exactly, two-sided, whether wins and losses are equally likely (McNemar).

    Parameters
    ----------
    n_first, n_second : cases only the first, and only the second, of two models got right

    Returns
    -------
    p-value: twice the smaller binomial tail at 1/2, at most 1

    References
    ----------
    McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947).

    Examples
    --------
    >>> mcnemar_exact(4, 0)
    0.125
    """
    n = n_first + n_second
    return min(1.0, float(2 * binom.cdf(min(n_first, n_second), n, 0.5)))


def permutation_test(
    differences: NDArray[np.floating], *, n_resamples: int = 10_000, seed: int = 0
) -> float:
    """Two-sided paired permutation test that a mean difference is zero.

    Under the null hypothesis each case's two outcomes may be swapped, which flips its
    difference's sign. Cases without a difference change nothing and are left out.

    Parameters
    ----------
    differences : float array, shape [n_cases]

    Returns
    -------
    p-value, at least ``1 / (n_resamples + 1)``: the observed assignment counts as one resample.
    With more than 100,000 differing cases it is computed from the normal limit.
    """
    moved = differences[differences != 0].astype(np.float64)
    if len(moved) == 0:
        return 1.0
    if len(moved) > _LARGE:
        z = abs(moved.sum()) / np.sqrt(moved @ moved)
        return max(float(2 * norm.sf(z)), 1 / (n_resamples + 1))
    observed = abs(moved.sum()) * (1 - 1e-9)  # equal sums in another order must count as equal
    rng = np.random.default_rng(seed)
    n_extreme = 0
    for n in _blocks(n_resamples, len(moved)):
        bits = np.unpackbits(rng.integers(0, 256, (n, -(-len(moved) // 8)), np.uint8), axis=1)
        # sum of +-d is 2 * (sum of those kept) - (sum of all)
        kept = bits[:, : len(moved)].astype(np.float64) @ moved  # [n]
        n_extreme += int((np.abs(2 * kept - moved.sum()) >= observed).sum())
    return (n_extreme + 1) / (n_resamples + 1)


def bootstrap_interval(
    differences: NDArray[np.floating],
    *,
    confidence: float = 0.95,
    n_resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean difference, cases drawn with replacement.

    Parameters
    ----------
    differences : float array, shape [n_cases], at least one case; of more than 100,000 the normal
        limit is taken

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
    """
    if len(differences) > _LARGE:
        error = differences.std(ddof=1) / np.sqrt(len(differences))
        half = float(norm.ppf((1 + confidence) / 2) * error)
        return float(differences.mean()) - half, float(differences.mean()) + half
    values = differences.astype(np.float32)  # four decimal digits more than anybody reads
    rng = np.random.default_rng(seed)
    means = [
        values[rng.integers(0, len(values), (n, len(values)), np.int32)].mean(1, dtype=np.float64)
        for n in _blocks(n_resamples, len(values))
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of several comparisons, so that any at all is wrong at the level asked.

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    n = len(p_values)
    order = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values, np.float64)[order] * np.arange(n, 0, -1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(p) for p in adjusted]


def p_words(p: float) -> str:
    """Say a p-value with the digits that mean something.

    Examples
    --------
    >>> [p_words(p) for p in (0.0002, 0.0312, 0.4)]
    ['p<0.001', 'p=0.031', 'p=0.40']
    """
    if p < 0.001:
        return "p<0.001"
    return f"p={p:.3f}" if p < 0.1 else f"p={p:.2f}"


def n_users_for_power(
    share_first: float, share_second: float, *, power: float = 0.8, level: float = 0.05
) -> float:
    """Users a McNemar test needs to find the observed discordance.

    Parameters
    ----------
    share_first, share_second : shares of users only the first, only the second model gets right
    power : chance to find a difference that is there
    level : two-sided level of the test

    Returns
    -------
    Number of users, rounded up; infinite where the two shares are equal

    Raises
    ------
    UserError
        If the shares are no shares.

    References
    ----------
    Connor, "Sample size for testing differences in proportions for the paired-sample design",
    Biometrics 43 (1987), without continuity correction.

    Examples
    --------
    >>> n_users_for_power(0.06, 0.03)
    783.0
    """
    if min(share_first, share_second) < 0 or share_first + share_second > 1:
        raise UserError(
            f"Shares of discordant users must lie in 0 to 1 and so must their sum: "
            f"got {share_first} and {share_second}."
        )
    discordant = share_first + share_second
    difference = abs(share_first - share_second)
    if difference == 0:
        return float("inf")
    at_null = norm.ppf(1 - level / 2) * np.sqrt(discordant)
    at_truth = norm.ppf(power) * np.sqrt(discordant - difference**2)
    return float(np.ceil(((at_null + at_truth) / difference) ** 2))


def _blocks(n_resamples: int, width: int) -> list[int]:
    """Sizes of blocks of resamples that fit in memory together with their ``width`` numbers."""
    size = max(1, _BLOCK_NUMBERS // max(width, 1))
    return [min(size, n_resamples - start) for start in range(0, n_resamples, size)]
