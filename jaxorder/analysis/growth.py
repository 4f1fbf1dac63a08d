"""How the reliability of an order grows with the number of members."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.covariance import Covariance
from jaxorder.analysis.reliability import correlation_of_halves, reliability

# Enough that the mean of the draws is steady; few enough to stay below a second.
DRAWS = 20


@dataclass(frozen=True, eq=False)
class Growth:
    """Reliability against the number of members.

    Attributes:
        members: Members in all, N.
        reliability: Cronbach's alpha of all of them.
        sizes: Numbers of members n, up to N / 2.
        mean: Mean correlation between the orders of two disjoint groups of n members.
        low: Least of the draws.
        high: Largest of the draws.
    """

    members: int
    reliability: float
    sizes: Int[np.ndarray, "size"]
    mean: Float[np.ndarray, "size"]
    low: Float[np.ndarray, "size"]
    high: Float[np.ndarray, "size"]


def growth(order: Covariance, draws: int = DRAWS) -> Growth:
    """Measure how well groups of members of several sizes reproduce each other's order.

    Args:
        order: Covariances of the members' accessibilities.
        draws: Pairs of disjoint groups a size.

    Returns:
        The measured correlations, and what a curve can be predicted from.
    """
    members = len(order.mean)
    sizes = group_sizes(members)
    found = [_correlations(order, size, draws) for size in sizes]
    table = np.array(found).reshape(len(sizes), draws)
    return Growth(
        members=members,
        reliability=reliability(order.variances).estimate,
        sizes=np.array(sizes, int),
        mean=table.mean(axis=1),
        low=table.min(axis=1),
        high=table.max(axis=1),
    )


def group_sizes(members: int) -> list[int]:
    """Return 1, 2, 4, .. and half of the members.

    Example:
        >>> group_sizes(20), group_sizes(1)
        ([1, 2, 4, 8, 10], [])
    """
    half = members // 2
    return sorted(
        {2**i for i in range(half.bit_length())} | ({half} if half else set())
    )


def _correlations(order: Covariance, size: int, draws: int) -> list[float]:
    rng, members = np.random.default_rng(size), len(order.mean)
    return [
        correlation_of_halves(
            order[rng.permutation(members)[: 2 * size]], splits=1, seed=draw
        )
        for draw in range(draws)
    ]
