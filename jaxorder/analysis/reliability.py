"""How repeatable an order is, and how many members would make it so."""

import math

import numpy as np
from jaxtyping import Float, Int

from jaxorder.analysis.covariance import Covariance, Variances, variances
from jaxorder.analysis.inputs import Array, require, takes_run
from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval, undefined
from jaxorder.analysis.measures import read_scores
from jaxorder.analysis.scales import ALPHA

# A sum's variance below this share of its parts' is rounding.
_CANCELLED = 1e-13


@takes_run(read_scores)
def cronbach_alpha(scores: Float[Array, "member example"]) -> float:
    """Measure the reliability of the mean of the members' scores.

    It is the squared correlation to expect between the mean of these members and the
    mean of endlessly many like them. It equals the mean, over all splits of an even
    number of members into halves, of Rulon's reliability 4 cov(A, B) / var(A + B) of
    the halves' sums A and B, exactly; and it equals the Spearman-Brown value of the
    halves' correlation where the halves vary alike, else it is a little less.

    Args:
        scores: [member, example], such as `member_accessibility`; or a run, of which
            these.

    Returns:
        Alpha, at most 1, negative where members contradict each other. NaN for fewer
        than two members, and where all examples have the same mean score.

    Raises:
        ValueError: `scores` are not real with two axes.

    Reference:
        Cronbach 1951.

    Example:
        >>> scores = np.array([[0.1, 0.5, 0.9], [0.2, 0.4, 0.9], [0.1, 0.7, 0.8]])
        >>> round(cronbach_alpha(scores), 3)
        0.964
    """
    return alpha(variances(_read(scores)))


@takes_run(read_scores)
def leave_one_out_alpha(
    scores: Float[Array, "member example"],
) -> Float[np.ndarray, " member"]:
    """Measure Cronbach's alpha with each member left out, at the cost of one.

    Args:
        scores: [member, example]; or a run, of which `member_accessibility`.

    Returns:
        float64 [member]; NaN where undefined, as for two members.

    Raises:
        ValueError: `scores` are not real with two axes.

    Reference:
        Cronbach 1951; "alpha if item deleted".

    Example:
        >>> scores = np.array([[0.1, 0.5, 0.9], [0.2, 0.4, 0.9], [0.1, 0.7, 0.8]])
        >>> leave_one_out_alpha(scores).round(3).tolist()
        [0.892, 0.96, 0.982]
    """
    return alpha_without(variances(_read(scores)))


@takes_run(read_scores)
def order_reliability(
    scores: Float[Array, "member example"], level: float = 0.95
) -> Interval:
    """Measure the reliability of an order, with its uncertainty over members.

    Args:
        scores: [member, example], such as `member_accessibility`; or a run, of which
            these.
        level: wanted coverage of the interval, in (0, 1).

    Returns:
        Cronbach's alpha, with the jackknife's interval, which never exceeds 1. No
        interval for fewer than 5 members; of so few, a negative alpha says nothing
        either and is NaN.

    Raises:
        ValueError: `scores` are not real with two axes.

    Reference:
        Cronbach 1951; the interval on the scale ln(1 - alpha): Bonett 2002.

    Example:
        >>> scores = np.array([[0.1, 0.5, 0.9], [0.2, 0.4, 0.9], [0.1, 0.7, 0.8]])
        >>> print(order_reliability(scores))
        0.96, interval undefined (3 members)
        >>> print(order_reliability(scores * np.array([[1], [-1], [1]])))
        undefined (3 members)
    """
    return reliability(variances(_read(scores)), level)


@takes_run(read_scores)
def split_half(
    scores: Float[Array, "member example"], splits: int = 100, seed: int = 0
) -> float:
    """Correlate the mean scores of random halves of the members.

    Args:
        scores: [member, example]; or a run, of which `member_accessibility`.
        splits: how many random splits are averaged, at least 1.
        seed: of the splits.

    Returns:
        The mean Pearson correlation, of half the members with the other half: put it
        through `spearman_brown(r, 2)` for all members. An odd member, a random one,
        is left out of each split. NaN for fewer than two members, and where a half
        gives all examples the same score in every split.

    Raises:
        ValueError: `scores` are not real with two axes.

    Reference:
        Spearman 1910; Brown 1910.

    Example:
        >>> scores = np.array([[0.1, 0.5, 0.9], [0.2, 0.4, 0.9], [0.1, 0.7, 0.8]])
        >>> round(split_half(scores), 3)
        0.899
    """
    return correlation_of_halves(Covariance.of(_read(scores)), splits, seed)


def correlation_of_halves(
    covariance: Covariance, splits: int = 100, seed: int = 0
) -> float:
    """Correlate the mean scores of random halves, as `split_half`, from covariances.

    Args:
        covariance: of the members' scores.
        splits: as there.
        seed: as there.
    """
    members = len(covariance.mean)
    half, rng = members // 2, np.random.default_rng(seed)
    found = []
    for _ in range(splits if half else 0):
        one, other = rng.permutation(members)[: 2 * half].reshape(2, half)
        found.append(_between(covariance, one, other))
    defined = [value for value in found if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _between(
    covariance: Covariance, one: Int[np.ndarray, " half"], other: Int[np.ndarray, " _"]
) -> float:
    """Correlate the sums of two groups of members."""
    products = covariance.products
    of_one, of_other = (products[np.ix_(each, each)].sum() for each in (one, other))
    # where members' own scores vary and cancel out, what is left is rounding
    least = _CANCELLED * products.diagonal().sum()
    least = max(least, covariance.examples * covariance.variances.floor)
    if not min(of_one, of_other) > least:
        return float("nan")
    return float(products[np.ix_(one, other)].sum() / np.sqrt(of_one * of_other))


def reliability(found: Variances, level: float = 0.95) -> Interval:
    """Measure the reliability of an order, as `order_reliability`, from variances.

    Args:
        found: of the members' scores.
        level: as there.
    """
    whole, members = alpha(found), len(found.own)
    if members < FEWEST and not whole >= 0:
        return undefined(members)
    return jackknife_interval(
        whole, alpha_without(found), level=level, scale=ALPHA, fewest=FEWEST
    )


def alpha(found: Variances) -> float:
    """Give Cronbach's alpha, as `cronbach_alpha`, from variances."""
    own, whole = np.array(found.own.sum()), np.array(found.whole)
    return float(_alpha(own, whole, len(found.own), found.floor))


def alpha_without(found: Variances) -> Float[np.ndarray, " member"]:
    """Give Cronbach's alpha without each member, from variances."""
    # var(total - x) = var(total) - 2 cov(total, x) + var(x)
    rest = found.whole - 2 * found.shared + found.own
    own = found.own.sum() - found.own
    return _alpha(own, rest, len(found.own) - 1, found.floor)


def spearman_brown(reliability: float | int, factor: float | int) -> float:
    """Predict the reliability of a collection that is some times as large.

    Args:
        reliability: of the present members, at most 1.
        factor: wanted over present number of members, above 0.

    Returns:
        The reliability of `factor` times as many like members; NaN where a negative
        reliability leaves it undefined.

    Raises:
        ValueError: `factor` is not above 0.

    Reference:
        Spearman 1910; Brown 1910.

    Example:
        >>> round(spearman_brown(0.6, 2), 3)
        0.75
    """
    if not factor > 0:
        raise ValueError(f"factor: wanted a number above 0, got {factor}")
    scale = 1 + (factor - 1) * reliability
    return factor * reliability / scale if scale > 0 else float("nan")


def members_needed(
    reliability: float | int, members: int, wanted: float | int
) -> int | None:
    """Predict how many members a wanted reliability needs.

    Args:
        reliability: of the mean over `members` members, such as Cronbach's alpha.
        members: how many that was measured with, at least 1.
        wanted: the reliability to reach, in (0, 1).

    Returns:
        The least number of members, at least 1; None where no number would do or it
        cannot be told: the reliability is NaN or not above 0.

    Raises:
        ValueError: `wanted` is not in (0, 1).

    Reference:
        Spearman 1910; Brown 1910, solved for the factor.

    Example:
        >>> members_needed(0.8, members=8, wanted=0.95)
        38
    """
    if not 0 < wanted < 1:
        raise ValueError(f"wanted: wanted a share between 0 and 1, got {wanted}")
    if not reliability > 0:
        return None
    needed = members * wanted * (1 - reliability) / (reliability * (1 - wanted))
    # 38.000000000001 members are 38.
    return max(1, math.ceil(needed * (1 - 1e-9)))


def members_needed_between(
    reliability: Interval, members: int, wanted: float | int
) -> tuple[int | None, int | None]:
    """Predict how many members a wanted reliability needs, with the uncertainty.

    Args:
        reliability: of the mean over `members` members, such as `order_reliability`.
        members: how many that was measured with, at least 1.
        wanted: the reliability to reach, in (0, 1).

    Returns:
        The numbers that the two ends of the interval give, the smaller first; None
        where no number would do or it cannot be told, as both where there is no
        interval.

    Raises:
        ValueError: `wanted` is not in (0, 1).

    Reference:
        Spearman 1910; Brown 1910, solved for the factor.

    Example:
        >>> members_needed_between(Interval(0.9, 0.8, 0.95), members=8, wanted=0.95)
        (8, 38)
    """
    least, most = reliability.high, reliability.low
    return members_needed(least, members, wanted), members_needed(most, members, wanted)


def _read(scores: Array) -> Float[np.ndarray, "member example"]:
    """Read scores; those that are of type float already are not copied."""
    return np.asarray(require("scores", scores, "biuf", "member example"), float)


def _alpha(
    own: Float[np.ndarray, "*batch"],
    whole: Float[np.ndarray, "*batch"],
    members: int,
    floor: float,
) -> Float[np.ndarray, "*batch"]:
    """Give alpha from the members' own variances, summed, and their sum's."""
    if members < 2:
        return np.full(whole.shape, np.nan)
    ratio = own / np.where(whole > floor, whole, np.nan)
    return np.asarray(members / (members - 1) * (1 - ratio))
