"""Measures of a snapshot from how many examples have 0, 1, .. N of N members correct.

Leaving a member out, or drawing under a null, changes only these counts.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Integer, Shaped

from jaxorder.analysis.inputs import Array, require


def histogram(
    tpa: Float[Array, "*batch example"], members: int
) -> Integer[np.ndarray, "*batch agreeing"]:
    """Count the examples at each value that TP-agreement can take.

    Args:
        tpa: [..., example], TP-agreement, each value k / N.
        members: N, at least 1.

    Returns:
        int [..., N + 1]: how many examples have 0, 1, .. N of N members correct.

    Raises:
        ValueError: a value is not k / N.

    Reference:
        TP-agreement, after Hacohen et al. 2020.

    Example:
        >>> histogram(np.array([0.0, 0.5, 0.5, 1.0]), members=2).tolist()
        [1, 2, 1]
    """
    values = require("tpa", tpa, "biuf", "... example") * members
    agreeing = np.rint(values)
    exact = np.isclose(values, agreeing, rtol=0, atol=1e-3)
    if not (exact & (agreeing >= 0) & (agreeing <= members)).all():
        raise ValueError(f"tpa: wanted multiples of 1/{members} in [0, 1], got others")
    counts = np.empty((*values.shape[:-1], members + 1), int)
    for batch in np.ndindex(values.shape[:-1]):
        counts[batch] = np.bincount(agreeing[batch].astype(int), minlength=members + 1)
    return counts


def histogram_bimodality(
    counts: Shaped[Array, "*batch agreeing"],
) -> Float[Any, "*batch"]:
    """Measure bimodality from a histogram of TP-agreement.

    Args:
        counts: [..., N + 1], examples, or probabilities, at each k / N.

    Returns:
        As `bimodality`, [...]; NaN for N = 1 and where one value has all examples.

    Raises:
        ValueError: `counts` have no axis, or fewer than two values (N < 1).

    Reference:
        Pearson 1916.

    Example:
        >>> float(histogram_bimodality(np.array([1, 2, 1])))
        2.0
    """
    weights, grid = weighted(counts)
    moments = moments_of(weights, grid)
    defined = (np.count_nonzero(weights, axis=-1) > 1) & (len(grid) > 2)
    variance = np.where(defined, moments[2], np.nan)
    return (moments[4] / variance**2 - moments[3] ** 2 / variance**3)[()]


def histogram_kappa(
    counts: Shaped[Array, "*batch agreeing"],
) -> Float[Any, "*batch"]:
    """Measure Fleiss' kappa from a histogram of TP-agreement.

    Args:
        counts: [..., N + 1], examples, or probabilities, at each k / N.

    Returns:
        As `fleiss_kappa`, [...]; NaN for N = 1 and where all examples are at 0 or all
        at 1.

    Raises:
        ValueError: `counts` have no axis, or fewer than two values (N < 1).

    Reference:
        Fleiss 1971, for two categories.

    Example:
        >>> float(histogram_kappa(np.array([2, 0, 2])))
        1.0
    """
    weights, grid = weighted(counts)
    members, moments = len(grid) - 1, moments_of(weights, grid)
    if members == 1:
        return np.full(weights.shape[:-1], np.nan)[()]
    mixed = weights[..., 1:].any(axis=-1) & weights[..., :-1].any(axis=-1)
    chance = np.where(mixed, moments[1] * (1 - moments[1]), np.nan)
    return ((members * moments[2] / chance - 1) / (members - 1))[()]


def weighted(
    counts: Shaped[Array, "*batch agreeing"],
) -> tuple[Float[np.ndarray, "*batch agreeing"], Float[np.ndarray, " agreeing"]]:
    """Scale a histogram to sum 1 and give the grid k / N that it stands on."""
    array = require("counts", counts, "biuf", "... agreeing")
    if array.shape[-1] < 2:
        raise ValueError(f"counts: wanted [..., N + 1], got shape {array.shape}")
    return array / array.sum(axis=-1, keepdims=True), np.linspace(0, 1, array.shape[-1])


def moments_of(
    weights: Float[np.ndarray, "*batch agreeing"], grid: Float[np.ndarray, " agreeing"]
) -> dict[int, Float[Any, "*batch"]]:
    """Give the mean, as 1, and the central moments 2 to 4."""
    mean = weights @ grid
    deviations = grid - mean[..., np.newaxis]
    return {1: mean} | {k: (weights * deviations**k).sum(axis=-1) for k in (2, 3, 4)}
