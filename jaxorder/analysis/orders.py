"""How alike two collections order examples, with intervals over members of both."""

from collections.abc import Callable, Iterator
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
from jaxorder.analysis.inputs import Array, require
from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval
from jaxorder.analysis.reliability import (
    cronbach_alpha,
    leave_one_out_alpha,
    order_reliability,
)
from jaxorder.analysis.scales import FISHER, PLAIN, Scale


@dataclass(frozen=True, kw_only=True, repr=False)
class OrderComparison:
    """How alike two collections order the same examples.

    Intervals are over other members of both collections, on these examples.

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
) -> OrderComparison:
    """Compare two orders, given each member's own scores of the same examples.

    Args:
        scores_a: [member, example], such as `member_accessibility` of one collection.
        scores_b: of the other; other members, the same examples in the same order.
        level: wanted coverage of the intervals, in (0, 1).

    Returns:
        The comparison; values are NaN where undefined, the ends of intervals for fewer
        than five members.

    Raises:
        ValueError: the scores are not real with two axes, or of other examples.

    Reference:
        Spearman 1904; intervals by jackknife over the members of both, Arvesen 1969,
        those of correlations on the scale of Fisher's z.

    Example:
        >>> a = np.array([[0.1, 0.5, 0.9, 0.6], [0.2, 0.4, 0.9, 0.7]])
        >>> b = np.array([[0.3, 0.2, 0.8, 0.6], [0.1, 0.4, 0.9, 0.8]])
        >>> found = compare_orders(a, b)
        >>> round(found.pearson.estimate, 3), round(found.kendall, 3)
        (0.954, 1.0)
        >>> round(found.disattenuated_pearson.estimate, 3)
        1.013
    """
    a = require("scores_a", scores_a, "biuf", "member example").astype(float)
    b = require("scores_b", scores_b, "biuf", "member example").astype(float)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"scores_b: wanted {a.shape[1]} examples, as in scores_a, got {b.shape[1]}"
        )
    alpha_a = _Jackknifed(cronbach_alpha(a), leave_one_out_alpha(a))
    alpha_b = _Jackknifed(cronbach_alpha(b), leave_one_out_alpha(b))
    pearson, spearman = correlated(a, b, np.asarray), correlated(a, b, ranks)
    return OrderComparison(
        pearson=pearson.interval(level, FISHER),
        spearman=spearman.interval(level, FISHER),
        kendall=order_correlation(a.mean(axis=0), b.mean(axis=0), "kendall"),
        disattenuated_pearson=pearson.disattenuated(alpha_a, alpha_b).interval(level),
        disattenuated_spearman=spearman.disattenuated(alpha_a, alpha_b).interval(level),
        reliability_a=order_reliability(a).estimate,
        reliability_b=order_reliability(b).estimate,
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

    def interval(self, level: float = 0.95, scale: Scale = PLAIN) -> Interval:
        """Add the variance over the members of both."""
        return jackknife_interval(
            self.estimate,
            self.without_a,
            self.without_b,
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


def correlated(
    a: Float[np.ndarray, "member_a example"],
    b: Float[np.ndarray, "member_b example"],
    score: Callable[[np.ndarray], np.ndarray],
) -> Correlated:
    """Correlate mean scores, whole and with each member of either left out."""
    whole_a, whole_b = unit(score(a.mean(axis=0))), unit(score(b.mean(axis=0)))
    return Correlated(
        float(np.clip(whole_a @ whole_b, -1, 1)),
        np.array([unit(score(rest)) @ whole_b for rest in _leave_one_out(a)]),
        np.array([unit(score(rest)) @ whole_a for rest in _leave_one_out(b)]),
    )


def _leave_one_out(
    scores: Float[np.ndarray, "member example"],
) -> Iterator[Float[np.ndarray, " example"]]:
    """Give the mean scores without each member, from the sum of all."""
    total, left = scores.sum(axis=0), max(len(scores) - 1, 1)
    for own in scores:
        yield (total - own) / left
