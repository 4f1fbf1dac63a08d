"""On which examples collections disagree: learned early by one, late by another."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from jaxorder.analysis.correlation import ranks


def rank_shares(
    scores: Float[np.ndarray, "*batch example"],
) -> Float[np.ndarray, "*batch example"]:
    """Turn scores into the share of the examples that score less.

    Accessibilities of a strong collection lie near 1 and those of a weak one do not;
    their rank shares can be compared.

    Args:
        scores: [..., example].

    Returns:
        [..., example] in (0, 1), of mean 1/2; examples that score alike count half.
        All NaN where all score alike, and so none comes first.

    Example:
        >>> rank_shares(np.array([0.9, 0.2, 0.9, 0.4])).tolist()
        [0.75, 0.125, 0.75, 0.375]
    """
    shares = (ranks(scores) - 0.5) / scores.shape[-1]
    alike = np.ptp(scores, axis=-1, keepdims=True) < 1e-12
    return np.where(alike, np.nan, shares)


def rank_gaps(
    accessibilities: Sequence[Float[np.ndarray, " example"]],
) -> Float[np.ndarray, " example"]:
    """Measure how far apart collections place each example in their orders.

    Args:
        accessibilities: Of the same examples, one array a collection.

    Returns:
        [example] in [0, 1): the largest rank share less the smallest. NaN where a
        collection has no order.

    Example:
        >>> rank_gaps([np.array([0.1, 0.2, 0.9]), np.array([0.9, 0.8, 1.0])]).round(2)
        array([0.33, 0.33, 0.  ])
    """
    return np.ptp(np.stack([rank_shares(each) for each in accessibilities]), axis=0)


def halves_gaps(
    order: Float[np.ndarray, "member example"],
) -> Float[np.ndarray, " example"]:
    """Measure how far apart two halves of one collection place each example.

    What is not larger than this between collections needs no difference between them.
    Halves have fewer members than their whole, so that this is, if anything, too large.

    Args:
        order: Each member's accessibility of each example.

    Returns:
        [example] in [0, 1): members of even numbers against those of odd ones. NaN for
        a single member, and where a half has no order.
    """
    if len(order) < 2:
        return np.full(order.shape[1], np.nan)
    return rank_gaps([order[::2].mean(axis=0), order[1::2].mean(axis=0)])
