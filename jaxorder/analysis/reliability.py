"""How repeatable an order is, and how many members would make it so."""

import math

import numpy as np
from jaxtyping import Float

from jaxorder.analysis.correlation import unit
from jaxorder.analysis.inputs import Array, require, takes_run
from jaxorder.analysis.intervals import FEWEST, Interval, jackknife_interval, undefined
from jaxorder.analysis.measures import read_scores
from jaxorder.analysis.scales import ALPHA

# A standard deviation below this share of the scores is rounding.
_ROUNDING = 1e-10


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
    array = require("scores", scores, "biuf", "member example").astype(float)
    own, whole = array.var(axis=1).sum(), array.sum(axis=0).var()
    return float(_alpha(np.array(own), np.array(whole), len(array), _floor(array)))


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
    array = require("scores", scores, "biuf", "member example").astype(float)
    centred = array - array.mean(axis=1, keepdims=True)
    total = centred.sum(axis=0)
    own = (centred**2).mean(axis=1)
    # var(total - x) = var(total) - 2 cov(total, x) + var(x)
    rest = (total**2).mean() - 2 * (centred @ total) / array.shape[1] + own
    return _alpha(own.sum() - own, rest, len(array) - 1, _floor(array))


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
    alpha, members = cronbach_alpha(scores), len(np.asarray(scores))
    if members < FEWEST and not alpha >= 0:
        return undefined(members)
    left_out = leave_one_out_alpha(scores)
    return jackknife_interval(alpha, left_out, level=level, scale=ALPHA, fewest=FEWEST)


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
    array = require("scores", scores, "biuf", "member example").astype(float)
    half, rng = len(array) // 2, np.random.default_rng(seed)
    found = []
    for _ in range(splits if half else 0):
        one, other = rng.permutation(len(array))[: 2 * half].reshape(2, half)
        found.append(unit(array[one].sum(axis=0)) @ unit(array[other].sum(axis=0)))
    defined = [value for value in found if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


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


def _floor(scores: Float[np.ndarray, "member example"]) -> float:
    """Give the variance below which there is only rounding."""
    return float((_ROUNDING * np.abs(scores).max()) ** 2)
