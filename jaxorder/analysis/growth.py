"""How the reliability of an order grows with the number of members."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.reliability import order_reliability, split_half

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


def growth(order: Float[np.ndarray, "member example"], draws: int = DRAWS) -> Growth:
    """Measure how well groups of members of several sizes reproduce each other's order.

    Args:
        order: Each member's accessibility of each example.
        draws: Pairs of disjoint groups a size.

    Returns:
        The measured correlations, and what a curve can be predicted from.
    """
    sizes = group_sizes(len(order))
    found = [_correlations(order, size, draws) for size in sizes]
    table = np.array(found).reshape(len(sizes), draws)
    return Growth(
        members=len(order),
        reliability=order_reliability(order).estimate,
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


def _correlations(order: np.ndarray, size: int, draws: int) -> list[float]:
    rng = np.random.default_rng(size)
    return [
        split_half(order[rng.permutation(len(order))[: 2 * size]], splits=1, seed=draw)
        for draw in range(draws)
    ]
