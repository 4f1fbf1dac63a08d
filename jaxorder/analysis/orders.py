"""How alike two collections order examples, with intervals over members of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from jaxorder.analysis.correlation import (
    disattenuated,
    order_correlation,
    ranks,
    unit,
)
from jaxorder.analysis.covariance import GatheredVariances
from jaxorder.analysis.inputs import Array, require
from jaxorder.analysis.intervals import FEWEST, Interval, deal, jackknife_interval
from jaxorder.analysis.reliability import alpha, alpha_without, reliability
from jaxorder.analysis.scales import FISHER, PLAIN, Scale


@dataclass(frozen=True, kw_only=True, repr=False)
class OrderComparison:
    """How alike two collections order the same examples.

    Intervals are over other members of both collections, on these examples; where
    blocks of examples were left out, over other examples, too.

    Attributes:
        pearson: correlation of the accessibilities, with an interval within [-1, 1].
        spearman: of their ranks, likewise.
        kendall: tau-b, without interval: leave-one-out values of it are not cheap.
        disattenuated_pearson: what more members would tend to; not clipped at 1.
        disattenuated_spearman: likewise, by the same reliabilities, which are those
            of the scores and not of their ranks: an approximation.
        reliability_a: Cronbach's alpha of the one's accessibilities; NaN where it is
            negative and there are fewer than 5 members.
        reliability_b: of the other's.
    """

    pearson: Interval
    spearman: Interval
    kendall: float
    disattenuated_pearson: Interval
    disattenuated_spearman: Interval
    reliability_a: float
    reliability_b: float

    def __repr__(self) -> str:
        """Return how alike the orders are, in a line."""
        apart = self.disattenuated_spearman
        return f"OrderComparison: Spearman {self.spearman}, disattenuated {apart}"


def compare_orders(
    scores_a: Float[Array, "member_a example"],
    scores_b: Float[Array, "member_b example"],
    level: float = 0.95,
    *,
    blocks: int = 0,
    seed: int = 0,
) -> OrderComparison:
    """Compare two orders, given each member's own scores of the same examples.

    Args:
        scores_a: [member, example], such as `member_accessibility` of one collection.
        scores_b: of the other; other members, the same examples in the same order.
        level: wanted coverage of the intervals, in (0, 1).
        blocks: into how many blocks the examples are dealt, each of which is left out,
            too: the claim is then about other members and other examples. 0 leaves
            none out, else at least 5.
        seed: of the dealing.

    Returns:
        The comparison; values are NaN where undefined, the ends of intervals for fewer
        than five members.

    Raises:
        ValueError: the scores are not real with two axes, or of other examples, or
            there are not 0 or 5 to as many blocks as examples.

    Reference:
        Spearman 1904; intervals by jackknife over the members of both, Arvesen 1969,
        and over blocks, Owen 2007; those of correlations on the scale of Fisher's z.

    Example:
        >>> a = np.array([[0.1, 0.5, 0.9, 0.6], [0.2, 0.4, 0.9, 0.7]])
        >>> b = np.array([[0.3, 0.2, 0.8, 0.6], [0.1, 0.4, 0.9, 0.8]])
        >>> found = compare_orders(a, b)
        >>> round(found.pearson.estimate, 3), round(found.kendall, 3)
        (0.954, 1.0)
        >>> round(found.disattenuated_pearson.estimate, 3)
        1.013
    """
    a = np.asarray(require("scores_a", scores_a, "biuf", "member example"), float)
    b = np.asarray(require("scores_b", scores_b, "biuf", "member example"), float)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"scores_b: wanted {a.shape[1]} examples, as in scores_a, got {b.shape[1]}"
        )
    if blocks and not FEWEST <= blocks <= a.shape[1]:
        raise ValueError(
            f"blocks: wanted 0 or {FEWEST} to {a.shape[1]}, one an example, "
            f"got {blocks}"
        )
    dealt = deal(a.shape[1], blocks, seed) if blocks else []
    rest = (np.delete(np.arange(a.shape[1]), block) for block in dealt)
    by_block = [_gathered(a[:, kept], b[:, kept]).compared() for kept in rest]
    return _gathered(a, b).compared(level, by_block)


def _gathered(
    a: Float[np.ndarray, "member_a example"], b: Float[np.ndarray, "member_b example"]
) -> "GatheredOrders":
    found = GatheredOrders(Total.of(a), Total.of(b))
    for side, scores in enumerate((a, b)):
        for member, own in enumerate(scores):
            found.add(side, member, own)
    return found


class Total(NamedTuple):
    """The scores of a collection's members, added up.

    Attributes:
        scores: the sums over members.
        members: how many there are.
    """

    scores: Float[np.ndarray, " example"]
    members: int

    @classmethod
    def of(cls, scores: Float[np.ndarray, "member example"]) -> "Total":
        """Add up scores."""
        return cls(np.zeros(scores.shape[1]), 0).with_members(scores)

    def with_members(self, scores: Float[np.ndarray, "member example"]) -> "Total":
        """Add the scores of further members, in their order."""
        total = self.scores.copy()
        for own in scores:
            total += own
        return Total(total, self.members + len(scores))

    @property
    def mean(self) -> Float[np.ndarray, " example"]:
        """The mean scores."""
        return self.scores / self.members

    def without(self, own: Float[np.ndarray, " example"]) -> np.ndarray:
        """Give the mean scores without one member's."""
        return (self.scores - own) / max(self.members - 1, 1)


class GatheredOrders:
    """Two orders, compared from the scores of one member after the other.

    Args:
        a: the sum of one collection's scores.
        b: of the other's.
    """

    def __init__(self, a: Total, b: Total) -> None:
        self._totals = a, b
        self._pearson = GatheredCorrelation(a, b, np.asarray)
        self._spearman = GatheredCorrelation(a, b, ranks)
        self._variances = [GatheredVariances(t.scores, t.members) for t in (a, b)]

    def add(self, side: int, member: int, own: Float[np.ndarray, " example"]) -> None:
        """Take one member's scores.

        Args:
            side: 0 for the one collection, 1 for the other.
            member: position of the member in it.
            own: [example].
        """
        self._pearson.add(side, member, own)
        self._spearman.add(side, member, own)
        self._variances[side].add(member, own)

    def compared(
        self, level: float = 0.95, by_block: Sequence[OrderComparison] = ()
    ) -> OrderComparison:
        """Compare, once all members of both are there.

        Args:
            level: wanted coverage of the intervals, in (0, 1).
            by_block: the comparisons without a block of examples each, where the
                intervals are to be over other examples, too.
        """
        of_a, of_b = (each.variances for each in self._variances)
        alphas = [_Jackknifed(alpha(of), alpha_without(of)) for of in (of_a, of_b)]
        pearson, spearman = self._pearson.found, self._spearman.found
        a, b = (total.mean for total in self._totals)

        def interval(name: str, found: Correlated, scale: Scale = PLAIN) -> Interval:
            each = [getattr(rest, name).estimate for rest in by_block]
            return found.interval(level, scale, np.array(each))

        apart = [found.disattenuated(*alphas) for found in (pearson, spearman)]
        return OrderComparison(
            pearson=interval("pearson", pearson, FISHER),
            spearman=interval("spearman", spearman, FISHER),
            kendall=order_correlation(a, b, "kendall"),
            disattenuated_pearson=interval("disattenuated_pearson", apart[0]),
            disattenuated_spearman=interval("disattenuated_spearman", apart[1]),
            reliability_a=reliability(of_a).estimate,
            reliability_b=reliability(of_b).estimate,
        )


class _Jackknifed(NamedTuple):
    """A figure of one collection, whole and with each member left out."""

    estimate: float
    without: Float[np.ndarray, " member"]


class Correlated(NamedTuple):
    """A figure of two collections, whole and with each member of either left out."""

    estimate: float
    without_a: Float[np.ndarray, " member_a"]
    without_b: Float[np.ndarray, " member_b"]

    def interval(
        self,
        level: float = 0.95,
        scale: Scale = PLAIN,
        by_block: Float[np.ndarray, " block"] | None = None,
    ) -> Interval:
        """Add the variance over the members of both, and over blocks of examples."""
        without = [self.without_a, self.without_b]
        if by_block is not None and len(by_block):
            without.append(by_block)
        return jackknife_interval(
            self.estimate,
            *without,
            level=level,
            scale=scale,
            fewest=FEWEST,
        )

    def disattenuated(self, a: _Jackknifed, b: _Jackknifed) -> "Correlated":
        """Correct by reliabilities, each time by those of the members left in."""
        pairs_a = zip(self.without_a, a.without, strict=True)
        pairs_b = zip(self.without_b, b.without, strict=True)
        return Correlated(
            disattenuated(self.estimate, a.estimate, b.estimate),
            np.array([disattenuated(r, alpha, b.estimate) for r, alpha in pairs_a]),
            np.array([disattenuated(r, a.estimate, alpha) for r, alpha in pairs_b]),
        )


class GatheredCorrelation:
    """A correlation of mean scores, and that without each member of either.

    Args:
        a: the sum of one collection's scores.
        b: of the other's.
        score: what of the mean scores is correlated, such as their ranks.
    """

    def __init__(
        self, a: Total, b: Total, score: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        self._totals, self._score = (a, b), score
        self._wholes = [unit(score(total.mean)) for total in (a, b)]
        self._without = [np.empty(total.members) for total in (a, b)]

    def add(self, side: int, member: int, own: Float[np.ndarray, " example"]) -> None:
        """Take one member's scores, as `GatheredOrders.add`."""
        rest = unit(self._score(self._totals[side].without(own)))
        self._without[side][member] = rest @ self._wholes[1 - side]

    @property
    def found(self) -> Correlated:
        """The correlation, once all members of both are there."""
        whole_a, whole_b = self._wholes
        return Correlated(float(np.clip(whole_a @ whole_b, -1, 1)), *self._without)
