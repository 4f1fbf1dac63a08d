"""How alike two orders of the same examples are."""

from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from scipy.stats import kendalltau, rankdata

from jaxorder.analysis.inputs import Array, require

# Equal scores that were summed in another order differ by less than this share.
_ROUNDING = 1e-12


def order_correlation(
    a: Shaped[Array, " example"], b: Shaped[Array, " example"], method: str = "spearman"
) -> float:
    """Correlate two scores of the same examples.

    Args:
        a: [example], a score, such as accessibility.
        b: [example], another score of the same examples in the same order.
        method: "spearman", "pearson" or "kendall" (tau-b). Values that differ by
            rounding alone count as ties.

    Returns:
        The correlation in [-1, 1]; NaN where a score is constant or holds NaN.

    Raises:
        ValueError: the lengths differ, or the method is another.

    Reference:
        Spearman 1904; Kendall 1945 for tau-b.

    Example:
        >>> a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 4.0])
        >>> round(order_correlation(a, b), 3)
        0.8
        >>> round(order_correlation(a, b, "kendall"), 3)
        0.667
    """
    first = require("a", a, "biuf", "example").astype(float)
    second = require("b", b, "biuf", "example").astype(float)
    if first.shape != second.shape:
        raise ValueError(f"b: wanted {len(first)} examples, as in a, got {len(second)}")
    if method == "kendall":
        return _kendall(first, second)
    if method == "spearman":
        first, second = ranks(first), ranks(second)
    elif method != "pearson":
        raise ValueError(f"method: wanted spearman, pearson or kendall, got {method!r}")
    return float(np.clip(unit(first) @ unit(second), -1, 1))


def disattenuated(
    correlation: float | int, reliability_a: float | int, reliability_b: float | int
) -> float:
    """Estimate what a correlation would be between perfectly reliable scores.

    Args:
        correlation: between two scores, in [-1, 1].
        reliability_a: of the one, such as Cronbach's alpha, in (0, 1].
        reliability_b: of the other.

    Returns:
        The correlation over the root of the reliabilities' product. Not clipped: a
        value above 1 says that the reliabilities are too low for the scores. NaN
        where a reliability is not above 0.

    Reference:
        Spearman 1904.

    Example:
        >>> round(disattenuated(0.6, 0.8, 0.9), 3)
        0.707
    """
    if not (reliability_a > 0 and reliability_b > 0):
        return float("nan")
    return float(correlation / np.sqrt(reliability_a * reliability_b))


def unit(
    scores: Float[np.ndarray, "*batch example"],
) -> Float[np.ndarray, "*batch example"]:
    """Centre scores and scale them to length 1, so that products are correlations.

    Args:
        scores: [..., example].

    Returns:
        [..., example]; NaN where the scores are constant.
    """
    centred = scores - scores.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    rounding = _ROUNDING * np.linalg.norm(scores, axis=-1, keepdims=True)
    return centred / np.where(length <= rounding, np.nan, length)


def ranks(
    scores: Float[np.ndarray, "*batch example"],
) -> Float[np.ndarray, "*batch example"]:
    """Rank scores from 1, ties sharing the mean of their ranks.

    Args:
        scores: [..., example].

    Returns:
        [..., example]; all NaN where one is NaN.
    """
    return rankdata(_tied(scores), axis=-1)


def _tied(
    scores: Float[np.ndarray, "*batch example"],
) -> Float[np.ndarray, "*batch example"]:
    """Make equal what rounding tore apart: 0.1 + 0.2 is to tie with 0.3."""
    size = np.abs(scores).max(axis=-1, keepdims=True)
    return np.round(scores / np.where(size > 0, size, 1), 12)


def _kendall(
    a: Float[np.ndarray, " example"], b: Float[np.ndarray, " example"]
) -> float:
    """Correlate by tau-b, NaN where it is undefined."""
    if np.isnan(unit(a)).any() or np.isnan(unit(b)).any():
        return float("nan")
    # scipy's result is a class that it does not type.
    found: Any = kendalltau(_tied(a), _tied(b))
    return float(found.statistic)
