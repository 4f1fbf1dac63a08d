"""Whether two collections order examples less alike than each does by itself."""

from itertools import combinations
from math import comb
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxorder.analysis.correlation import ranks, unit
from jaxorder.analysis.inputs import Array, require
from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval
from jaxorder.analysis.two_runs import Both, takes_two_runs

# Gaps that rounding alone tells apart are equal: exchanging all members is no change.
_ROUNDING = 1e-12


class ExchangeTest(NamedTuple):
    """Whether it matters to which of two collections members belong.

    Attributes:
        within_a: mean correlation of two members of the one; NaN of one member.
        within_b: of the other.
        between: mean correlation of a member of the one and a member of the other.
        gap: how much less that is than the geometric mean of the two others, which is
            what noisy copies of one order would show, however noisy those of each
            collection are. A correlation below 0 counts as 0 there. Its interval is
            over other members of both on these examples; none where a collection has
            fewer than 5.
        p_value: share of the exchanges that show such a gap or a larger one.
        exchanges: how many were looked at.
        exact: whether these are all that there are.
    """

    within_a: float
    within_b: float
    between: float
    gap: Interval
    p_value: float
    exchanges: int
    exact: bool


def _exchange_of(both: Both, **given: Any) -> ExchangeTest:
    return exchange_test(*both.scores(), **given)


@takes_two_runs(_exchange_of)
def exchange_test(
    scores_a: Float[Array, "member_a example"],
    scores_b: Float[Array, "member_b example"],
    *,
    method: str = "spearman",
    exchanges: int = 20_000,
    seed: int = 0,
    level: float = 0.95,
) -> ExchangeTest:
    """Test whether two collections share an order, by exchanging their members.

    If it does not matter to which collection a member belongs, each way to deal all
    members to two collections of these sizes is as likely. Examples are not shuffled:
    that would ask whether the orders have anything in common.

    The test rejects not only where orders differ: members of different accuracy or
    noise are not exchangeable either. There the p-value is small and the gap near 0,
    so read both, and take scores up to matched accuracy.

    Args:
        scores_a: [member, example], such as `member_accessibility` of one collection;
            or two runs, of which these up to the last snapshots, or up to
            `at="matched"` accuracy, or up to `at` a position each.
        scores_b: of the other; other members, the same examples in the same order.
        method: "spearman" or "pearson".
        exchanges: the most to look at, at least 1: all, where there are not
            more, else what is seen and others at random. Two collections of 8 members
            have 12,870.
        seed: of the random ones.
        level: wanted coverage of the gap's interval, in (0, 1).

    Returns:
        What is seen and its p-value, in (0, 1]. Between collections of one size,
        exchanging all members changes nothing: of three members each it is not below
        2 / 20, of four not below 2 / 70. NaN where a collection has one member or a
        member's scores are constant.

    Raises:
        ValueError: the scores are not real with two axes, or of other examples, the
            method is another, or `exchanges` is below 1.

    Reference:
        Fisher 1935 and Pitman 1937, exact or by random exchanges, to which what is
        seen is added (Phipson and Smyth 2010). The interval by jackknife over the
        members of both, Arvesen 1969.

    Example:
        >>> a = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 5, 4], [1, 3, 2, 4, 5]], float)
        >>> found = exchange_test(a, a[:, ::-1])
        >>> round(found.within_a, 3), round(found.between, 3), found.p_value
        (0.867, -0.833, 0.1)
    """
    a, b = _of_same_examples(scores_a, scores_b)
    if method not in ("spearman", "pearson"):
        raise ValueError(f"method: wanted spearman or pearson, got {method!r}")
    if exchanges < 1:
        raise ValueError(f"exchanges: wanted at least 1, got {exchanges}")
    scores = np.concatenate([a, b])
    shapes = unit(ranks(scores) if method == "spearman" else scores)
    exact = comb(len(scores), len(a)) <= exchanges
    sizes = len(scores), len(a)
    dealt = _all(*sizes) if exact else _some(*sizes, exchanges, seed)
    return _tested(shapes @ shapes.T, dealt, exact, level)


def _of_same_examples(
    scores_a: Float[Array, "member_a _"], scores_b: Float[Array, "member_b _"]
) -> tuple[Float[np.ndarray, "member_a _"], Float[np.ndarray, "member_b _"]]:
    a = require("scores_a", scores_a, "biuf", "member example").astype(float)
    b = require("scores_b", scores_b, "biuf", "member example").astype(float)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"scores_b: wanted {a.shape[1]} examples, as in scores_a, got {b.shape[1]}"
        )
    return a, b


def _all(members: int, first: int) -> Bool[np.ndarray, "exchange member"]:
    """Choose the one collection in all ways; the first is as it is."""
    chosen = np.array(list(combinations(range(members), first)))
    dealt = np.zeros((len(chosen), members), bool)
    np.put_along_axis(dealt, chosen, True, axis=1)
    return dealt


def _some(
    members: int, first: int, exchanges: int, seed: int
) -> Bool[np.ndarray, "exchange member"]:
    """Choose the one collection at random; the first time as it is."""
    dealt = np.arange(members) < np.full((exchanges, 1), first)
    np.random.default_rng(seed).permuted(dealt[1:], axis=1, out=dealt[1:])
    return dealt


def _tested(
    alike: Float[np.ndarray, "member member"],
    dealt: Bool[np.ndarray, "exchange member"],
    exact: bool,
    level: float,
) -> ExchangeTest:
    """Compare the gap that is seen with those of all exchanges."""
    found = _correlations(alike, dealt.astype(float), (~dealt).astype(float))
    gaps = _gap(*found)
    p_value = float("nan") if np.isnan(gaps[0]) else _share_above(gaps)
    within_a, within_b, between = (float(each[0]) for each in found)
    return ExchangeTest(
        within_a=within_a,
        within_b=within_b,
        between=between,
        gap=_with_interval(float(gaps[0]), alike, dealt[0], level),
        p_value=p_value,
        exchanges=len(dealt),
        exact=exact,
    )


def _gap(
    within_a: Float[np.ndarray, " case"],
    within_b: Float[np.ndarray, " case"],
    between: Float[np.ndarray, " case"],
) -> Float[np.ndarray, " case"]:
    return np.sqrt(np.maximum(within_a, 0) * np.maximum(within_b, 0)) - between


def _share_above(gaps: Float[np.ndarray, " exchange"]) -> float:
    return float(np.mean(gaps >= gaps[0] - _ROUNDING))


def _with_interval(
    gap: float,
    alike: Float[np.ndarray, "member member"],
    first: Bool[np.ndarray, " member"],
    level: float,
) -> Interval:
    """Leave out each member of the one collection, and of the other, in turn."""
    others = ~np.eye(len(first), dtype=bool)
    without = [
        _gap(
            *_correlations(
                alike,
                (first & others[side]).astype(float),
                (~first & others[side]).astype(float),
            )
        )
        for side in (first, ~first)
    ]
    return jackknife_interval(gap, *without, level=level, fewest=FEWEST)


def _correlations(
    alike: Float[np.ndarray, "member member"],
    first: Float[np.ndarray, "case member"],
    second: Float[np.ndarray, "case member"],
) -> tuple[
    Float[np.ndarray, " case"],
    Float[np.ndarray, " case"],
    Float[np.ndarray, " case"],
]:
    """Average correlations within the one, within the other, and between.

    Every case has as many members in the one collection, and in the other.
    """
    a, b, of_first = first[0].sum(), second[0].sum(), first @ alike
    within_a = _mean((of_first * first).sum(axis=1) - a, a * (a - 1))
    within_b = _mean((second @ alike * second).sum(axis=1) - b, b * (b - 1))
    return within_a, within_b, _mean((of_first * second).sum(axis=1), a * b)


def _mean(
    total: Float[np.ndarray, " case"], pairs: float
) -> Float[np.ndarray, " case"]:
    """Divide by a number of pairs; NaN where there is none."""
    return total / (pairs or np.nan)
