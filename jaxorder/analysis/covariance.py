"""How members' scores vary together: all that reliability asks of them.

Covariances of a thousand members are few, however many the examples are, and those of
parts of the examples merge into those of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.streaming import blocks

# A standard deviation below this share of the scores is rounding.
_ROUNDING = 1e-10
# Entries that are copied at a time.
_PRODUCT = 2**22


class Variances(NamedTuple):
    """Variances over examples of members' scores and of their sum.

    Attributes:
        own: [member], of each member's scores.
        shared: [member], covariance of these with the sum of all members'.
        whole: of the sum.
        floor: the variance below which there is only rounding.
    """

    own: Float[np.ndarray, " member"]
    shared: Float[np.ndarray, " member"]
    whole: float
    floor: float


def variances(
    scores: Float[np.ndarray, "member example"],
) -> Variances:
    """Take the variances of scores, of which one member's is copied at a time."""
    found = GatheredVariances(scores.sum(axis=0), len(scores))
    for member, own in enumerate(scores):
        found.add(member, own)
    return found.variances


class GatheredVariances:
    """Variances of scores that are handed member by member.

    Args:
        total: [example], the sum of all members' scores.
        members: how many there are.
    """

    def __init__(self, total: Float[np.ndarray, " example"], members: int) -> None:
        self._total = total - total.mean()
        self._found = np.zeros((2, members))
        self._largest = np.zeros(members)

    def add(self, member: int, scores: Float[np.ndarray, " example"]) -> None:
        """Take one member's scores.

        Args:
            member: position of the member.
            scores: [example].
        """
        centred = scores - scores.mean()
        shared = centred @ self._total / len(centred)
        self._found[:, member] = (centred**2).mean(), shared
        self._largest[member] = np.abs(scores).max()

    @property
    def variances(self) -> Variances:
        """The variances, once all members are there."""
        own, shared = self._found
        whole = float((self._total**2).mean())
        return Variances(own, shared, whole, _floor(self._largest.max()))


def _floor(largest: float) -> float:
    """Give the variance below which there is only rounding."""
    return float((_ROUNDING * largest) ** 2)


@dataclass(frozen=True, eq=False)
class Covariance:
    """Covariances over examples of members' scores.

    Attributes:
        examples: how many there are.
        mean: [member], mean score.
        products: [member, member], sums of products of what deviates from the means.
        largest: of the scores' sizes.
    """

    examples: int
    mean: Float[np.ndarray, " member"]
    products: Float[np.ndarray, "member member"]
    largest: float

    @classmethod
    def of(cls, scores: Float[np.ndarray, "member example"]) -> "Covariance":
        """Take the covariances of scores, of which a block is copied at a time.

        Args:
            scores: [member, example].
        """
        members, examples = scores.shape
        # products of matrices are fast of large ones
        cut = blocks(members, examples, _PRODUCT)
        return merged([cls._of_block(scores[:, block]) for block in cut])

    @classmethod
    def _of_block(cls, scores: Float[np.ndarray, "member block"]) -> "Covariance":
        mean = scores.mean(axis=1)
        centred = scores - mean[:, None]
        products = centred @ centred.T
        return cls(scores.shape[1], mean, products, float(np.abs(scores).max()))

    @property
    def variances(self) -> Variances:
        """Variances of the members and of their sum."""
        covariance = self.products / self.examples
        own, shared = covariance.diagonal(), covariance.sum(axis=1)
        return Variances(own, shared, float(shared.sum()), _floor(self.largest))

    def __getitem__(self, kept: Int[np.ndarray, " kept"]) -> "Covariance":
        """Return those of some members, in their order."""
        products = self.products[np.ix_(kept, kept)]
        return Covariance(self.examples, self.mean[kept], products, self.largest)


def merged(parts: Sequence[Covariance]) -> Covariance:
    """Return the covariances over all examples from those over parts of them.

    Args:
        parts: of the same members, and of different examples.

    Reference:
        Chan, Golub and LeVeque 1983.
    """
    sizes = np.array([part.examples for part in parts], float)
    means = np.stack([part.mean for part in parts])
    mean = np.average(means, axis=0, weights=sizes)
    apart = (means - mean) * np.sqrt(sizes)[:, None]
    within = np.sum([part.products for part in parts], axis=0)
    largest = max(part.largest for part in parts)
    return Covariance(int(sizes.sum()), mean, within + apart.T @ apart, largest)
